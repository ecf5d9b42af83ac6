import Concurrency
import CurlTransport
import FoundationEssentials
import Glibc
import HTTPTransport
import OpenSSL

/// A program that keeps artifacts, at an address of this machine, with its certificate and data in a directory.
public struct StoreServer: Sendable {
    /// Its own: `127.0.0.1`, or one that pods may use.
    public let address: String
    public let port: Int
    /// Of the authority that its certificate is from; nil where it speaks in the clear.
    public let authority: [UInt8]?
    public let directory: String
    private let program: String
    private let arguments: [String]
    /// Where it answers as soon as it runs.
    private let path: String

    public var host: String { "\(address):\(port)" }
    public var url: String { "\(authority == nil ? "http" : "https")://\(host)" }
    public var logPath: String { directory + "/log" }

    /// Debian's registry, by TLS.
    /// - Parameters:
    ///   - authentication: its `auth`.
    ///   - allowsDeletion: `storage.delete.enabled`, which is false unless somebody sets it.
    public static func registry(
        at address: String = "127.0.0.1", in directory: String, authentication: String, allowsDeletion: Bool = true
    ) throws -> StoreServer {
        let port = try FreePort.find()
        let authority = try certify(address, in: directory)
        try """
        version: 0.1
        log: {accesslog: {disabled: true}, level: warn}
        storage: {filesystem: {rootdirectory: \(directory)/data}, delete: {enabled: \(allowsDeletion)}}
        http:
          addr: \(address):\(port)
          tls: {certificate: \(directory)/certificate.pem, key: \(directory)/key.pem}
        auth: {\(authentication)}
        """.write(toFile: "\(directory)/configuration.yaml", atomically: false, encoding: .utf8)
        return StoreServer(
            address: address, port: port, authority: authority, directory: directory, program: "docker-registry",
            arguments: ["serve", "\(directory)/configuration.yaml"], path: "/v2/")
    }

    /// moto's S3 with one bucket, as `s3_server.py` runs it: it checks signatures, and keeps all in its memory.
    /// - Parameters:
    ///   - relays: ports that lead to it too.
    ///   - cuts: how many connections each of them breaks.
    public static func bucket(
        _ name: String, at address: String = "127.0.0.1", in directory: String, tls: Bool, relays: [Int],
        cuts: Int = 10
    ) throws -> StoreServer {
        let python = "\(ControlPlanePrograms.cache(ProcessInfo.processInfo.environment))/s3-server/bin/python"
        guard FileManager.default.isExecutableFile(atPath: python) else {
            throw TestClusterError("moto is missing; scripts/s3-server fetches it")
        }
        let port = try FreePort.find()
        let script = String(#filePath.dropLast("StoreServers.swift".count)) + "s3_server.py"
        let authority = tls ? try certify(address, in: directory) : nil
        let certificate = tls ? ["--tls", "\(directory)/certificate.pem", "\(directory)/key.pem"] : []
        return StoreServer(
            address: address, port: port, authority: authority, directory: directory, program: python,
            arguments: ["-W", "ignore", script, "--address", address] + certificate
                + relays.flatMap { ["--relay", "\($0)"] } + ["--cuts", "\(cuts)", "\(port)", name],
            path: "/")
    }

    private static func certify(_ address: String, in directory: String) throws -> [UInt8] {
        // OpenSSL checks the times of certificates against the real clock.
        let now = Duration.seconds(Int64(time(nil)))
        let authority = try CertificateAuthority(commonName: "test", now: now)
        let own = try authority.issue(
            CertificateRequest(commonName: "store", ipAddresses: [address], usage: .server), now: now)
        let files = [
            "authority.pem": authority.certificatePEM, "certificate.pem": own.certificatePEM,
            "key.pem": own.privateKeyPEM,
        ]
        for (name, text) in files {
            try text.write(toFile: "\(directory)/\(name)", atomically: false, encoding: .utf8)
        }
        return Array(authority.certificatePEM.utf8)
    }

    /// Runs it while `body` runs, and kills it then.
    public func running(
        beside other: (@Sendable () async throws -> Void)? = nil, _ body: @escaping @Sendable () async throws -> Void
    ) async throws {
        let process = ControlPlaneProcess(program: program, arguments: arguments, logPath: logPath)
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                try await process.run()
                return false
            }
            if let other {
                group.addTask {
                    try await other()
                    return false
                }
            }
            group.addTask {
                try await answers()
                try await body()
                return true
            }
            while let isDone = try await group.next(), !isDone {}
            group.cancelAll()
        }
    }

    /// How many connections the relay of a port has broken. Its log has lines of others in between, and within.
    public func cuts(byRelay port: Int) throws -> Int {
        try String(contentsOfFile: logPath, encoding: .utf8).ranges(of: "cut on \(port)").count
    }

    private func answers() async throws {
        let transport = try CurlTransport(TransportConfiguration(server: url, certificateAuthorityPEM: authority))
        defer { transport.shutdown() }
        let deadline = SystemTime().monotonicNow() + .seconds(60)
        while true {
            do throws(HTTPTransportError) {
                _ = try await transport.send(HTTPRequest(.get, path))
                return
            } catch {
                guard error.code == .connect, SystemTime().monotonicNow() < deadline else { throw error }
            }
            try await Task.sleep(for: .milliseconds(20))
        }
    }
}
