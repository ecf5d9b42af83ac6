import Concurrency
import HTTPTransport
import JSON
import KubernetesClient
import KubernetesModel
import Testing

@testable import CurlTransport

/// One way in which a server fails a call, and what the caller hears.
private struct AnswerFault: Sendable, CustomTestStringConvertible {
    enum Outcome: Sendable, Hashable {
        case malformed, broken, status(Int)
    }

    var testDescription: String
    var outcome: Outcome
    var bytes: [UInt8]

    init(_ name: String, _ outcome: Outcome, _ text: String, _ more: [UInt8] = []) {
        testDescription = name
        self.outcome = outcome
        bytes = Array(text.utf8) + more
    }

    static func ok(_ name: String, _ body: [UInt8], _ headers: String = "", length: Int? = nil) -> AnswerFault {
        AnswerFault(
            name, .malformed, "HTTP/1.1 200 OK\r\nContent-Length: \(length ?? body.count)\r\n\(headers)\r\n", body)
    }
}

private let faults: [AnswerFault] = [
    .ok("truncated JSON", Array(#"{"kind":"#.utf8)),
    .ok("invalid UTF-8", [0x7B, 0x22, 0xFF, 0x22, 0x3A, 0x31, 0x7D]),
    .ok("a login page", Array("<html></html>".utf8), "Content-Type: text/html\r\n"),
    .ok("an empty body", []),
    .ok("gzip unasked", [0x1F, 0x8B, 8, 0, 0, 0], "Content-Encoding: gzip\r\n"),
    .ok("more than Content-Length", Array(#"{"kind":"Job"}"#.utf8), length: 5),
    AnswerFault("204", .malformed, "HTTP/1.1 204 No Content\r\n\r\n"),
    AnswerFault("nothing", .broken, ""),
    AnswerFault("half a head", .broken, "HTTP/1.1 200 OK\r\nContent-Le"),
    AnswerFault("only interim answers", .broken, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\n\r\n"),
    AnswerFault("less than Content-Length", .broken, "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{}"),
    AnswerFault("two lengths", .broken, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 9\r\n\r\n{}"),
    AnswerFault("a negative length", .broken, "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}"),
    AnswerFault("a cut chunk", .broken, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{}"),
    AnswerFault("a chunk size that is none", .broken, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}"),
    AnswerFault(
        "headers beyond measure", .broken,
        "HTTP/1.1 200 OK\r\n" + String(repeating: "X: \(String(repeating: "x", count: 1000))\r\n", count: 400) + "\r\n"),
    AnswerFault("not HTTP", .broken, "SSH-2.0-OpenSSH_9.2\r\n\r\n\r\n"),
    AnswerFault(
        "a redirect", .status(307), "HTTP/1.1 307 X\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"),
    AnswerFault("a status that is none", .status(999), "HTTP/1.1 999 X\r\nContent-Length: 0\r\n\r\n"),
    AnswerFault("an error cut off", .status(503), "HTTP/1.1 503 X\r\nContent-Length: 99\r\n\r\n{\"kind\""),
]

@Suite struct AnswerFaultTests {
    private static let key = ObjectKey(namespace: "ml", name: "wine")

    /// The second connection answers as it should: what came on the first must not be taken for its answer.
    private static func server(_ bytes: [UInt8]) throws -> RawServer {
        try RawServer { connection in
            if connection.number == 1 {
                guard connection.readRequest() != nil else { return }
                connection.write(bytes)
                return
            }
            while connection.readRequest() != nil { connection.answer(#"{"kind":"Job","connection":2}"#) }
        }
    }

    @Test(arguments: faults)
    fileprivate func aFaultyAnswerIsAnErrorOfItsKindAndTheNextCallIsWell(_ fault: AnswerFault) async throws {
        let server = try Self.server(fault.bytes)
        let client = KubernetesClient(transport: try server.transport(), retry: .never)
        let error = await #expect(throws: KubernetesError.self) {
            try await client.create(.jobs, ["metadata": ["name": "wine", "namespace": "ml"]], fieldManager: "f")
        }
        let outcome: AnswerFault.Outcome? =
            switch error?.code {
            case .malformed: .malformed
            case .transport(let error) where error.code == .broken: .broken
            case .status(let status): .status(status.code)
            default: nil
            }
        #expect(outcome == fault.outcome, "\(String(describing: error))")
        #expect(server.requests.count == 1, "a write is not sent twice")
        #expect(try await client.get(.jobs, Self.key)["connection"] == 2)
        #expect(!server.requests.contains { $0.lowercased().contains("accept-encoding") })
    }

    /// What another connection may put right is read again; RetryTests say which errors those are.
    @Test(arguments: faults)
    fileprivate func aReadIsMadeAgainWhereThatMayHelp(_ fault: AnswerFault) async throws {
        let server = try Self.server(fault.bytes)
        let client = KubernetesClient(transport: try server.transport(), random: { 0 })
        let helps = fault.outcome == .broken || fault.outcome == .status(503)
        let answer: JSONValue?
        do throws(KubernetesError) {
            answer = try await client.get(.jobs, Self.key)
        } catch {
            answer = nil
        }
        #expect((answer != nil) == helps)
        #expect(server.requests.count == (helps ? 2 : 1))
    }

    @Test func aStormOf401CostsEachCallOneMoreRequestAtMost() async throws {
        let directory = try TokenFile("old")
        let server = try RawServer { connection in
            while let request = connection.readRequest() {
                let isFresh = request.contains("Authorization: Bearer new\r\n")
                connection.answer("{}", status: isFresh ? "200 OK" : "401 Unauthorized")
            }
        }
        let client = KubernetesClient(
            transport: try server.transport(), credentials: .tokenFile(path: directory.path), retry: .never)
        await #expect(throws: KubernetesError.self) { try await client.get(.jobs, Self.key) }
        #expect(server.requests.count == 1, "the file holds no other token")
        try directory.write("new")
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<50 { group.addTask { _ = try await client.get(.jobs, Self.key) } }
            try await group.waitForAll()
        }
        #expect(server.requests.count <= 101)
        #expect(server.requests.filter { $0.contains("Bearer new") }.count == 50)
    }

    @Test func aReadThatAnHTTP2ServerLeftUnseenIsMadeAgain() async throws {
        let server = try await H2Server()
        let transport = try server.transport()
        let client = KubernetesClient(transport: PathTransport(transport, "/goaway-unseen"), random: { 0 })
        #expect(try await client.get(.jobs, Self.key)["connection"] == 2)
    }
}

/// Asks for one path whatever is asked.
private struct PathTransport: HTTPTransport {
    let transport: CurlTransport
    let path: String

    init(_ transport: CurlTransport, _ path: String) {
        self.transport = transport
        self.path = path
    }

    func send(_ request: HTTPRequest) async throws(HTTPTransportError) -> HTTPResponse {
        var request = request
        request.target = path
        return try await transport.send(request)
    }
}
