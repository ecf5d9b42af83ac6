import Concurrency
import HTTPTransport
import JSON
import KubernetesClient
import KubernetesModel

enum WatchProperties {
    /// What a watch gave: its events as lines, and how it ended.
    private struct Outcome: Equatable {
        var lines: [String] = []
        var end = "clean"
    }

    static func check(_ input: [UInt8]) async throws {
        let joined = try await outcome([input])
        var random = SplitMix(seed: input.reduce(0) { $0 &* 31 &+ UInt64($1) })
        for pieces in [cut(input, at: 1, &random), cut(input, at: 7, &random), cut(input, at: 300, &random)] {
            let split = try await outcome(pieces)
            try hold("a stream says the same however it is cut", split == joined, [split, joined])
        }
        let written = joined.lines.map { $0 + "\n" }.joined()
        let again = try await outcome([Array(written.utf8)])
        try hold(
            "events that are written as lines are read as they were", again.lines == joined.lines, [joined, again])
        try hold("and the stream then ends well", again.end == "clean", [again])
    }

    /// Pieces of 0 to `length` bytes.
    private static func cut(_ input: [UInt8], at length: Int, _ random: inout SplitMix) -> [[UInt8]] {
        var pieces: [[UInt8]] = []
        var rest = input[...]
        while !rest.isEmpty {
            let piece = rest.prefix(length == 1 ? 1 : Int.random(in: 0...length, using: &random))
            pieces.append(Array(piece))
            rest = rest.dropFirst(piece.count)
        }
        return pieces
    }

    private static func outcome(_ chunks: [[UInt8]]) async throws -> Outcome {
        let client = KubernetesClient(transport: Pieces(chunks: chunks), time: ManualTime())
        let stream = try await client.watch(ResourceType.pods, namespace: "ml", WatchOptions(resourceVersion: "1"))
        var result = Outcome()
        do throws(KubernetesError) {
            while let events = try await stream.next() { result.lines += events.map(line) }
        } catch {
            result.end = describe(error)
        }
        return result
    }

    private static func line(_ event: WatchEvent) -> String {
        let json: JSONValue =
            switch event {
            case .added(let object): ["type": "ADDED", "object": object]
            case .modified(let object): ["type": "MODIFIED", "object": object]
            case .deleted(let object): ["type": "DELETED", "object": object]
            case .bookmark(let version, let initialEventsEnd):
                [
                    "type": "BOOKMARK",
                    "object": [
                        "metadata": [
                            "resourceVersion": .string(version),
                            "annotations": ["k8s.io/initial-events-end": .string(initialEventsEnd ? "true" : "false")],
                        ]
                    ],
                ]
            }
        return json.serialized()
    }

    /// The error without the count of bytes that had arrived, which is the one thing that cutting changes.
    private static func describe(_ error: KubernetesError) -> String {
        guard case .malformed(let detail) = error.code else {
            return "\(error) \(String(describing: error.retryAfter))"
        }
        let words = detail.split(separator: " ", maxSplits: 6, omittingEmptySubsequences: false)
        guard words.count == 7, words[0] == "after", words[5] == "bytes:" else { return detail }
        return "after \(words[1]) events: \(words[6])"
    }
}

/// A server that answers anything with these pieces.
private struct Pieces: HTTPTransport {
    var chunks: [[UInt8]]

    func send(_ request: HTTPRequest) async throws(HTTPTransportError) -> HTTPResponse {
        let rest = Locked(chunks[...])
        return HTTPResponse(
            status: 200, body: HTTPBody { () throws(HTTPTransportError) in rest.withLock { $0.popFirst() } })
    }
}
