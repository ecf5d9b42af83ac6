import Concurrency
import CurlTransport
import FoundationEssentials
import Glibc
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

    private let directory: TemporaryDirectory
    private let port: Int
    private let authority: [UInt8]
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
        self.directory = directory
        port = try FreePort.find()
        // OpenSSL checks the times of certificates against the real clock.
        let now = Duration.seconds(Int64(time(nil)))
        let authority = try CertificateAuthority(commonName: "test", now: now)
        self.authority = Array(authority.certificatePEM.utf8)
        let own = try authority.issue(
            CertificateRequest(commonName: "registry", ipAddresses: ["127.0.0.1"], usage: .server), now: now)
        let files = [
            "authority.pem": authority.certificatePEM, "certificate.pem": own.certificatePEM,
            "key.pem": own.privateKeyPEM, "passwords": Self.passwords,
        ]
        for (name, text) in files {
            try text.write(toFile: "\(directory.path)/\(name)", atomically: false, encoding: .utf8)
        }
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
        try """
        version: 0.1
        log: {accesslog: {disabled: true}, level: warn}
        storage: {filesystem: {rootdirectory: \(directory.path)/data}, delete: {enabled: \(allowsDeletion)}}
        http:
          addr: 127.0.0.1:\(port)
          tls: {certificate: \(directory.path)/certificate.pem, key: \(directory.path)/key.pem}
        auth: {\(rule)}
        """.write(toFile: "\(directory.path)/configuration.yaml", atomically: false, encoding: .utf8)
    }

    var tokensGiven: Int { tokens?.given ?? 0 }
    /// `127.0.0.1:5000`
    var host: String { "127.0.0.1:\(port)" }

    /// Writes what a Secret for its images holds, as it is mounted.
    func writePullSecret(to directory: String, password: String = TestRegistry.credentials.password) throws {
        let name = Self.credentials.username
        try #"{"auths": {"\#(host)": {"username": "\#(name)", "password": "\#(password)"}}}"#.write(
            toFile: "\(directory)/.dockerconfigjson", atomically: false, encoding: .utf8)
        try String(decoding: authority, as: UTF8.self).write(
            toFile: "\(directory)/ca.crt", atomically: false, encoding: .utf8)
    }

    /// Runs the registry while `body` runs, and kills it then.
    func running(_ body: @escaping @Sendable () async throws -> Void) async throws {
        let process = ControlPlaneProcess(
            program: "docker-registry", arguments: ["serve", "\(directory.path)/configuration.yaml"],
            logPath: "\(directory.path)/log")
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                try await process.run()
                return false
            }
            if let tokens {
                group.addTask {
                    try await tokens.run()
                    return false
                }
            }
            group.addTask { [self] in
                try await answers()
                try await body()
                return true
            }
            while let isDone = try await group.next(), !isDone {}
            group.cancelAll()
        }
    }

    private func answers() async throws {
        let transport = try transport()
        let deadline = SystemTime().monotonicNow() + .seconds(30)
        while true {
            do throws(HTTPTransportError) {
                _ = try await transport.send(HTTPRequest(.get, "/v2/"))
                return
            } catch {
                guard error.code == .connect, SystemTime().monotonicNow() < deadline else { throw error }
            }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    func transport() throws(HTTPTransportError) -> any HTTPTransport { try transport("https://127.0.0.1:\(port)") }

    private func transport(_ server: String) throws(HTTPTransportError) -> any HTTPTransport {
        try CurlTransport(TransportConfiguration(server: server, certificateAuthorityPEM: authority))
    }

    /// - Parameter transport: In place of one to the registry.
    func store(
        _ name: String = "team/wine", credentials: RegistryCredentials? = TestRegistry.credentials,
        patience: Patience = Patience(limit: .seconds(60)), rights: RegistryStore.Rights = .write,
        over transport: (any HTTPTransport)? = nil
    ) throws -> RegistryStore {
        let own = "127.0.0.1:\(port)"
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
