import Concurrency
import ControllerRuntime
import HTTPTransport
import JSON
import KubernetesClient
import KubernetesModel
import Logging
import Testing

@testable import CurlTransport

/// One way in which a server fails a watch.
private struct WatchFault: Sendable, CustomTestStringConvertible {
    var testDescription: String
    /// Whether what is known must be listed again; otherwise the watch is resumed.
    var listsAgain = false
    /// Answers the first watch.
    var answer: @Sendable (RawConnection) -> Void
}

private let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
private let bookmark = #"{"type":"BOOKMARK","object":{"kind":"Pod","metadata":{"resourceVersion":"10"}}}"# + "\n"

private func pod(_ name: String, _ version: Int) -> String {
    #"{"metadata":{"name":"\#(name)","namespace":"ml","uid":"u-\#(name)","resourceVersion":"\#(version)"}}"#
}

private func added(_ name: String, _ version: Int) -> String {
    #"{"type":"ADDED","object":"# + pod(name, version) + "}\n"
}

extension RawConnection {
    fileprivate func chunk(_ text: String) {
        write(String(text.utf8.count, radix: 16) + "\r\n" + text + "\r\n")
    }

    fileprivate func watch(_ chunks: String...) {
        write(head)
        for text in chunks { chunk(text) }
    }

    fileprivate func end() { write("0\r\n\r\n") }
}

private func status(_ code: Int, _ reason: String = "", _ message: String = "no") -> String {
    #"{"kind":"Status","status":"Failure","code":\#(code),"reason":"\#(reason)","message":"\#(message)"}"#
}

private func refusal(_ code: Int, _ reason: String = "", _ message: String = "no", listsAgain: Bool = false)
    -> WatchFault
{
    WatchFault(testDescription: "status \(code) \(message)", listsAgain: listsAgain) {
        $0.answer(status(code, reason, message), status: "\(code) X", headers: "Retry-After: 99999999999\r\n")
    }
}

private func line(_ name: String, _ text: String) -> WatchFault {
    WatchFault(testDescription: name, listsAgain: true) { connection in
        connection.watch(added("a", 11), text + "\n")
        connection.awaitEnd()
    }
}

private let faults: [WatchFault] = [
    WatchFault(testDescription: "every byte in a chunk of its own") { connection in
        connection.write(head)
        for byte in (added("a", 11) + added("b", 12)).unicodeScalars { connection.chunk(String(byte)) }
        connection.awaitEnd()
    },
    WatchFault(testDescription: "lines joined in a chunk") { connection in
        connection.watch(added("a", 11) + added("b", 12))
        connection.awaitEnd()
    },
    WatchFault(testDescription: "an end without a last newline") { connection in
        connection.watch(String(added("a", 11).dropLast()))
        connection.end()
    },
    WatchFault(testDescription: "a cut in a line") { $0.watch(added("a", 11), String(added("b", 12).prefix(30))) },
    WatchFault(testDescription: "a cut in a chunk") {
        $0.watch(added("a", 11)); $0.write("ffff\r\n{")
    },
    WatchFault(testDescription: "an end in good order in a line", listsAgain: true) { connection in
        connection.watch(added("a", 11), String(added("b", 12).prefix(30)))
        connection.end()
    },
    WatchFault(testDescription: "a line of 17 MB", listsAgain: true) { connection in
        connection.watch(added("a", 11))
        let filler = String(repeating: "x", count: 1 << 20)
        for _ in 0..<17 { connection.chunk(filler) }
        connection.awaitEnd()
    },
    WatchFault(testDescription: "silence after a bookmark") { connection in
        connection.watch(bookmark, added("a", 11))
        connection.awaitEnd()
    },
    WatchFault(testDescription: "silence in a line after a bookmark") { connection in
        connection.watch(bookmark, added("a", 11), String(added("b", 12).prefix(30)))
        connection.awaitEnd()
    },
    WatchFault(testDescription: "an end before the head") { _ in },
    WatchFault(testDescription: "an end in the head") { $0.write("HTTP/1.1 200 OK\r\nConten") },
    WatchFault(testDescription: "an empty body") { $0.answer("") },
    WatchFault(testDescription: "204") { $0.write("HTTP/1.1 204 No Content\r\n\r\n") },
    WatchFault(testDescription: "a login page with 200", listsAgain: true) {
        $0.answer("<html>\n<form>\n</html>\n", headers: "Content-Type: text/html\r\n")
    },
    WatchFault(testDescription: "gzip unasked", listsAgain: true) {
        $0.answer("\u{1f}\u{08}\u{0}\u{0}\n", headers: "Content-Encoding: gzip\r\n")
    },
    WatchFault(testDescription: "invalid UTF-8", listsAgain: true) { connection in
        connection.watch(added("a", 11))
        let bytes = Array(#"{"type":"ADDED","object":{"a":""#.utf8) + [0xFF, 0xC0] + Array("\"}}\n".utf8)
        connection.write(Array((String(bytes.count, radix: 16) + "\r\n").utf8) + bytes + Array("\r\n".utf8))
        connection.awaitEnd()
    },
    line("truncated JSON", #"{"type":"ADDED","object":{"#), line("an unknown type", #"{"type":"NEWS","object":{}}"#),
    line("a bookmark without version", #"{"type":"BOOKMARK","object":{"kind":"Pod"}}"#),
    line("an ERROR that is no Status", #"{"type":"ERROR","object":{"kind":"Pod"}}"#),
    line("an ERROR event of 410", #"{"type":"ERROR","object":\#(status(410, "Expired", "too old"))}"#),
    refusal(410, "Expired", "too old", listsAgain: true), refusal(400, listsAgain: true),
    refusal(404, listsAgain: true),
    refusal(401), refusal(403), refusal(429), refusal(500), refusal(503),
    refusal(504, "Timeout", "Too large resource version: 10, current: 9"),
    refusal(302),
]

@Suite struct ReflectorFaultTests {
    /// Real, but nobody sleeps longer than a moment: neither backoff, nor the stall timer, nor what a server asks for.
    private struct HastyTime: TimeSource {
        func monotonicNow() -> Duration { SystemTime().monotonicNow() }
        func wallNow() -> Duration { SystemTime().wallNow() }
        func sleep(for duration: Duration) async throws {
            try await SystemTime().sleep(for: min(duration, .milliseconds(100)))
        }
    }

    private static func server(_ fault: WatchFault, _ lists: Locked<Int>, _ watches: Locked<Int>) throws -> RawServer {
        try RawServer { connection in
            while let request = connection.readRequest() {
                guard request.contains("watch=true") else {
                    let isFirst = lists.withLock { count in
                        count += 1
                        return count == 1
                    }
                    let items = isFirst ? "" : pod("a", 11)
                    let version = isFirst ? 10 : 11
                    connection.answer(#"{"metadata":{"resourceVersion":"\#(version)"},"items":[\#(items)]}"#)
                    continue
                }
                let number = watches.withLock { count in
                    count += 1
                    return count
                }
                if number == 1 { return fault.answer(connection) }
                let missing = request.contains("resourceVersion=10&") ? added("a", 11) : ""
                connection.watch(missing + (request.contains("resourceVersion=12&") ? "" : added("b", 12)))
                connection.awaitEnd()
            }
        }
    }

    @Test(arguments: faults)
    fileprivate func theStoreIsCompleteInTheEnd(_ fault: WatchFault) async throws {
        let lists = Locked(0)
        let watches = Locked(0)
        let server = try Self.server(fault, lists, watches)
        let client = KubernetesClient(transport: try server.transport(), time: HastyTime())
        let store = Store<DynamicObject>()
        let reflector = Reflector(
            client: client, type: .pods, store: store, time: HastyTime(), seed: 1,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await reflector.run() }
            let isComplete = try await eventually { store.count == 2 }
            #expect(isComplete, "\(store.all().map(\.metadata.name)), \(reflector.status)")
            group.cancelAll()
        }
        #expect(lists.withLock { $0 } == (fault.listsAgain ? 2 : 1))
        #expect(!server.requests.contains { $0.lowercased().contains("accept-encoding") }, "nothing is unpacked")
    }
}
