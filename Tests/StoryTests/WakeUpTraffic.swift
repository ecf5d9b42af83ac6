import Concurrency
import ControllerRuntime

/// What became of all requests that users have sent.
final class WakeUpTraffic: Sendable {
    struct Counts: Sendable, CustomStringConvertible {
        var served = 0
        /// With 503 and when to come again.
        var refused = 0
        /// POSTs of a model that may not be asked twice, answered with 502.
        var broken = 0
        /// All else, in words.
        var lost: [String] = []

        var all: Int { served + refused + broken + lost.count }
        var description: String {
            "\(all) requests: \(served) served, \(refused) refused, \(broken) POSTs broken, \(lost.count) lost"
        }
    }

    /// A model's name, whether it may be asked twice, and the way to it.
    struct Target: Sendable {
        var name: String
        var isIdempotent: Bool
        var route: ServiceRoute
    }

    private struct State {
        var counts = Counts()
        /// The revisions that may answer now.
        var revisions: Set<Int> = [1]
    }

    private let state = Locked(State())

    var counts: Counts { state.withLock { $0.counts } }

    /// From now on only answers of these revisions are right.
    func allow(_ revisions: Set<Int>) { state.withLock { $0.revisions = revisions } }

    /// Sends requests until it is over: a few on each connection, with pauses between them.
    func ask(_ target: Target, until isOver: Locked<Bool>, _ random: SeededGenerator) async throws {
        var random = random
        while !isOver.withLock({ $0 }) {
            try await Task.sleep(for: .milliseconds(Int.random(in: 0...300, using: &random)))
            _ = try await connect(target, requests: Int.random(in: 1...5, using: &random), &random)
        }
    }

    /// Sends one at a time until one is served.
    func askUntilServed(_ target: Target, _ random: SeededGenerator) async throws {
        var random = random
        while try await connect(target, requests: 1, &random) != 200 {
            try await Task.sleep(for: .milliseconds(500))
        }
    }

    /// Returns the status of the last answer; nil where there was none.
    func connect(_ target: Target, requests: Int, _ random: inout SeededGenerator) async throws -> Int? {
        let began = ContinuousClock.now
        guard let (address, port) = target.route.next(&random) else {
            note(target, "GET", nil, "the Service of \(target.name) leads nowhere")
            return nil
        }
        let kinds = (0..<requests).map { _ in
            (Bool.random(using: &random) ? "GET" : "POST", Int.random(in: 0...100, using: &random))
        }
        var last: Int?
        var method = ""
        do {
            try await PlainClient.with(address, port) { client in
                for (next, milliseconds) in kinds {
                    method = next
                    let answer = try await client.ask(method, "/\(milliseconds)")
                    last = answer.status
                    note(target, method, answer, "\(answer) of \(address):\(port)")
                    method = ""
                    if answer.endsConnection { return }
                }
            }
        } catch {
            try Task.checkCancellation()
            // With every request answered it is no matter how the connection ended.
            if method.isEmpty, last != nil { return last }
            note(
                target, method, nil,
                "\(address):\(port): \(error) after \(ContinuousClock.now - began); now \(target.route)")
            return nil
        }
        return last
    }

    private func note(_ target: Target, _ method: String, _ answer: PlainClient.Answer?, _ words: String) {
        state.withLock { state in
            switch answer?.status {
            case 200? where state.revisions.contains { answer?.body == "\(target.name) \($0)" }:
                state.counts.served += 1
            case 503? where answer?.fields["retry-after"] != nil: state.counts.refused += 1
            case 502? where method == "POST" && !target.isIdempotent: state.counts.broken += 1
            default: state.counts.lost.append("\(target.name) \(method): \(words)")
            }
        }
    }
}
