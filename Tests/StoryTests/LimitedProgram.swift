import Concurrency
import ControllerRuntime
import CurlTransport
import HTTPTransport
import Logging

/// A program that works with certain rights and no others, and what it says.
protocol LimitedProgram: Sendable {
    var account: LimitedAccount { get }
    var voice: ProgramVoice { get }

    /// Runs it while `body` runs.
    func run(_ body: @escaping @Sendable () async throws -> Void) async throws
}

/// What a program says to people: its log, and whether it is ready.
final class ProgramVoice: Sendable {
    private let lines = Locked<[String]>([])
    private let port = Locked<Int?>(nil)

    var logger: Logger {
        Logger(label: "program") { label in
            StructuredLogHandler(label: label) { [lines] line in
                lines.withLock { $0.append(String(decoding: line, as: UTF8.self)) }
            }
        }
    }

    /// What it has logged so far.
    var log: [String] { lines.withLock { $0 } }

    /// It tells its health at that port of 127.0.0.1 now.
    func listens(at port: Int) { self.port.withLock { $0 = port } }

    /// What it answers at `/readyz`; nil while it does not listen.
    func readiness() async throws -> (isReady: Bool, text: String)? {
        guard let port = port.withLock({ $0 }) else { return nil }
        let transport = try CurlTransport(TransportConfiguration(server: "http://127.0.0.1:\(port)"))
        defer { transport.shutdown() }
        do throws(HTTPTransportError) {
            let response = try await transport.send(
                HTTPRequest(.get, "/readyz", delivery: .unary(timeout: .seconds(5))))
            return (response.status == 200, String(decoding: try await response.body.collect(), as: UTF8.self))
        } catch {
            // It is started anew.
            guard error.code != .cancelled else { throw error }
            return nil
        }
    }
}
