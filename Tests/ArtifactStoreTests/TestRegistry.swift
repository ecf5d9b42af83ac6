import CurlTransport
import FoundationEssentials
import HTTPTransport
import OpenSSL
import TestCluster
import Testing

@testable import ArtifactStore

/// Debian's registry by TLS, which wants to know who one is, with its data in a directory.
final class TestRegistry: Sendable {
    enum Access: CaseIterable {
        /// A user and a password with every request.
        case basic
        /// A token, which another server gives for them.
        case token
    }

    static let credentials = RegistryCredentials(username: "ann", password: "correct horse")
    /// The password by bcrypt, which is all that the registry takes.
    private static let passwords = "ann:$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e\n"
    /// Small ones, as there is no store behind it that wants them larger.
    static let partSize = 64 << 10

    private let server: StoreServer
    private let tokens: TokenServer?

    /// - Parameters:
    ///   - allowsDeletion: `storage.delete.enabled`, which is false unless somebody sets it.
    ///   - body: Is given a registry that does not run yet.
    static func with(
        _ access: Access = .basic, allowsDeletion: Bool = true, _ body: (TestRegistry) async throws -> Void
    ) async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        try await body(try TestRegistry(directory, access, allowsDeletion))
    }

    private init(_ directory: TemporaryDirectory, _ access: Access, _ allowsDeletion: Bool) throws {
        try Self.passwords.write(toFile: "\(directory.path)/passwords", atomically: false, encoding: .utf8)
        let rule: String
        switch access {
        case .basic:
            tokens = nil
            rule = "htpasswd: {realm: test, path: \(directory.path)/passwords}"
        case .token:
            let server = try TokenServer(directory: directory.path)
            tokens = server
            rule = """
                token: {realm: "https://127.0.0.1:\(server.port)/token?by=test", service: \(TokenServer.service), \
                issuer: \(TokenServer.issuer), rootcertbundle: \(directory.path)/authority.pem}
                """
        }
        server = try StoreServer.registry(
            in: directory.path, authentication: rule, allowsDeletion: allowsDeletion)
    }

    var tokensGiven: Int { tokens?.given ?? 0 }
    /// `127.0.0.1:5000`
    var host: String { server.host }

    /// Writes what a Secret for its images holds, as it is mounted.
    func writePullSecret(to directory: String, password: String = TestRegistry.credentials.password) throws {
        let name = Self.credentials.username
        try #"{"auths": {"\#(host)": {"username": "\#(name)", "password": "\#(password)"}}}"#.write(
            toFile: "\(directory)/.dockerconfigjson", atomically: false, encoding: .utf8)
        try String(decoding: server.authority ?? [], as: UTF8.self).write(
            toFile: "\(directory)/ca.crt", atomically: false, encoding: .utf8)
    }

    /// Runs the registry while `body` runs, and kills it then.
    func running(_ body: @escaping @Sendable () async throws -> Void) async throws {
        var beside: (@Sendable () async throws -> Void)?
        if let tokens { beside = { try await tokens.run() } }
        try await server.running(beside: beside, body)
    }

    func transport() throws(HTTPTransportError) -> any HTTPTransport { try transport(server.url) }

    private func transport(_ url: String) throws(HTTPTransportError) -> any HTTPTransport {
        try CurlTransport(TransportConfiguration(server: url, certificateAuthorityPEM: server.authority))
    }

    /// - Parameter transport: In place of one to the registry.
    func store(
        _ name: String = "team/wine", credentials: RegistryCredentials? = TestRegistry.credentials,
        patience: Patience = Patience(limit: .seconds(60)), rights: RegistryStore.Rights = .write,
        over transport: (any HTTPTransport)? = nil
    ) throws -> RegistryStore {
        let own = host
        var store = try RegistryStore(
            try RegistryRepository(host: own, name: name), rights: rights, credentials: credentials,
            patience: patience
        ) { [self] (server) throws(HTTPTransportError) in
            if let transport, server.hasSuffix(own) { return transport }
            return try self.transport(server)
        }
        store.partSize = Self.partSize
        return store
    }
}
