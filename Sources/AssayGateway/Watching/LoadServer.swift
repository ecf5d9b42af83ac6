import AssayCore
import Concurrency
import Files
import HTTPServer
import HTTPTransport
import JSON
import Logging
import OpenSSL

/// Tells whoever leads what there is to do, over HTTPS. The key, the certificate and the word by which the asker is known are files
/// of a Secret, which the operator makes and renews; until they are there nothing is told.
struct LoadServer: Sendable {
    /// The path that is answered.
    static let path = "/load"
    private static let interval: Duration = .seconds(5)

    private struct Files: Sendable, Hashable {
        var pair: CertificateFiles
        var token: String
    }

    let address: GatewayConfiguration.Address
    /// Where the files are: tls.crt, tls.key and token.
    let directory: String
    let load: @Sendable () async throws -> GatewayLoad
    let time: any TimeSource
    let logger: Logger

    /// Serves until the task is cancelled; throws where it cannot listen.
    func run(onListening: @escaping @Sendable (Int) -> Void) async throws {
        let token = Locked("")
        guard let first = try await firstContext(token) else { return }
        var limits = HTTPServerLimits()
        limits.body = 0
        let server = HTTPServer(
            host: address.host, port: address.port, tls: first.context, limits: limits, logger: logger,
            handler: { await answer($0, token: token.withLock { $0 }) })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await server.run { port in
                    logger.info("telling what there is to do", metadata: ["address": "\(address.host):\(port)"])
                    onListening(port)
                }
            }
            group.addTask { await renew(server, first.files, token) }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private func firstContext(_ token: Locked<String>) async throws -> (context: TLSContext, files: Files)? {
        while !Task.isCancelled {
            if let files = read(), let context = context(of: files) {
                token.withLock { $0 = files.token }
                return (context, files)
            }
            do { try await time.sleep(for: Self.interval) } catch { return nil }
        }
        return nil
    }

    private func renew(_ server: HTTPServer, _ first: Files, _ token: Locked<String>) async {
        var known = first
        while !Task.isCancelled {
            do { try await time.sleep(for: Self.interval) } catch { return }
            guard let files = read(), files != known, let context = context(of: files) else { continue }
            server.renew(context)
            token.withLock { $0 = files.token }
            known = files
        }
    }

    /// Nil while they are not all there.
    private func read() -> Files? {
        do {
            let token = try FileSystem.contents("\(directory)/token")
            return Files(
                pair: try CertificateFiles(in: directory), token: String(decoding: token, as: UTF8.self))
        } catch {
            logger.debug("the files to be known by are not there", metadata: ["error": "\(error)"])
            return nil
        }
    }

    /// Nil where they do not belong together, as while they are being replaced.
    private func context(of files: Files) -> TLSContext? {
        do throws(TLSError) {
            guard !files.token.isEmpty else { return nil }
            return try files.pair.context()
        } catch {
            logger.warning("the certificate cannot be used", metadata: ["error": "\(error)"])
            return nil
        }
    }

    func answer(_ request: HTTPServerRequest, token: String) async -> HTTPServerResponse {
        guard request.method == "GET", request.path == Self.path else {
            return .text("no such path\n", status: 404)
        }
        guard let said = request.headers["Authorization"], Self.isSame(said, "Bearer \(token)") else {
            return .text("say who you are\n", status: 401)
        }
        do {
            let body = try await load().json.serializedBytes()
            return HTTPServerResponse(
                status: 200, headers: ["Content-Type": "application/json"], body: .bytes(body))
        } catch {
            return .text("about to stop\n", status: 503)
        }
    }

    /// In a time that does not tell how much of it was right.
    private static func isSame(_ left: String, _ right: String) -> Bool {
        let (left, right) = (Array(left.utf8), Array(right.utf8))
        guard left.count == right.count else { return false }
        return zip(left, right).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
    }
}
