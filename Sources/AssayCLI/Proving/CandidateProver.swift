import AssayCore
import Concurrency
import Files
import HTTPTransport
import JSON

/// Tries a candidate's server from outside, as users would.
struct CandidateProver: Sendable {
    /// Not empty.
    let records: [GoldenRecord]
    let transport: any HTTPTransport
    let comparison: AnswerComparison
    /// How long one answer may take.
    let timeout: Duration

    private static let jsonType = "application/json"
    private static let largestAnswer = 16 << 20
    /// A server may refuse a long body before it has read it, and then the answer is lost on the way.
    private static let longBody = 65_536

    private enum Answer: Sendable {
        case of(status: Int, body: [UInt8])
        case none(HTTPTransportError)
    }

    private func send(_ body: [UInt8], to path: String, contentType: String = jsonType) async -> Answer {
        let request = HTTPRequest(
            .post, path, headers: ["Content-Type": contentType, "Accept": Self.jsonType], body: body,
            delivery: .unary(timeout: timeout))
        do throws(HTTPTransportError) {
            let response = try await transport.send(request)
            return .of(status: response.status, body: try await response.body.collect(limit: Self.largestAnswer))
        } catch {
            return .none(error)
        }
    }

    /// The pod's address may be known a moment later than that it is ready.
    func waitForServer(_ patience: Duration) async throws {
        let clock = ContinuousClock()
        let end = clock.now + patience
        while true {
            let request = HTTPRequest(.get, records[0].path, delivery: .unary(timeout: .seconds(5)))
            do throws(HTTPTransportError) {
                _ = try await transport.send(request).body.collect(limit: Self.largestAnswer)
                return
            } catch {
                if case .cancelled = error.code { throw CancellationError() }
                // Whatever it thinks of the request, it is there.
                guard error.requestWasNotSent, error.code != .invalidRequest else { return }
                guard clock.now < end else { throw Unreachable(reason: error.description) }
            }
            try await Task.sleep(for: .milliseconds(200))
        }
    }

    struct Unreachable: Error, CustomStringConvertible {
        var reason: String
        var description: String { "the candidate does not answer: \(reason)" }
    }

    // MARK: Golden records

    struct Difference: Sendable {
        var place: String
        var message: String

        var json: JSONValue { ["place": .string(place), "message": .string(message)] }
    }

    /// Nil where the answer is as it was recorded.
    private func difference(_ record: GoldenRecord, _ body: [UInt8]) async -> (message: String?, isError: Bool) {
        switch await send(body, to: record.path) {
        case .none(let error): return ("no answer: \(error)", true)
        case .of(let status, _) where !(200..<300).contains(status):
            return ("was answered with status \(status)", true)
        case .of(_, let bytes):
            guard let answer = try? JSONValue(parsing: bytes) else { return ("the answer is no JSON", false) }
            return (comparison.difference(answer, from: record.response), false)
        }
    }

    func replay() async -> [Difference] {
        var differences: [Difference] = []
        for record in records where !Task.isCancelled {
            let found = await difference(record, record.request.serializedBytes())
            if let message = found.message { differences.append(Difference(place: record.place, message: message)) }
        }
        return differences
    }

    // MARK: Malformed input

    struct Trial: Sendable {
        var name: String
        var status: Int?
        /// Nil where all went well.
        var problem: String?

        var json: JSONValue {
            var result: JSONValue = ["name": .string(name)]
            if let status { result["status"] = JSONValue(status) }
            result["problem"] = JSONValue(problem)
            return result
        }
    }

    /// Ends with the first that the server does not survive: what is tried on one that starts anew says nothing.
    func sendMalformed() async -> [Trial] {
        let good = records[0]
        var trials: [Trial] = []
        for malformed in MalformedRequest.all(of: good.request) where !Task.isCancelled {
            var trial = Trial(name: malformed.name)
            switch await send(malformed.body, to: good.path, contentType: malformed.contentType) {
            case .of(let status, _):
                trial.status = status
                if !(400..<500).contains(status) { trial.problem = "was answered with status \(status)" }
            case .none(let error):
                if malformed.body.count < Self.longBody || error.code != .broken {
                    trial.problem = "was not answered: \(error)"
                }
            }
            if let after = await difference(good, good.request.serializedBytes()).message {
                trial.problem = (trial.problem.map { "\($0); " } ?? "") + "and a good request after it: \(after)"
                trials.append(trial)
                break
            }
            trials.append(trial)
        }
        return trials
    }

    // MARK: Load

    private struct Tally: Sendable {
        var next = 0
        var latencies: [Double] = []
        var errors = 0
        var differing = 0
        var first: Difference?

        mutating func note(_ found: (message: String?, isError: Bool), _ seconds: Double, _ place: String) {
            if found.isError { errors += 1 } else { latencies.append(seconds) }
            guard let message = found.message, !found.isError else { return }
            differing += 1
            if first == nil { first = Difference(place: place, message: message) }
        }
    }

    struct LoadResult: Sendable {
        var summary: LoadSummary
        /// Answers that were not as recorded; a server that mixes up what it is asked at once shows it only here.
        var differing: Int
        var first: Difference?
    }

    func load(for duration: Duration, concurrency: Int) async -> LoadResult {
        let bodies = records.map { $0.request.serializedBytes() }
        let tally = Locked(Tally())
        let clock = ContinuousClock()
        let start = clock.now
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<concurrency {
                group.addTask {
                    while clock.now - start < duration, !Task.isCancelled {
                        let index = tally.withLock { tally in
                            defer { tally.next += 1 }
                            return tally.next % records.count
                        }
                        let sent = clock.now
                        let found = await difference(records[index], bodies[index])
                        let seconds = (clock.now - sent) / .seconds(1)
                        tally.withLock { $0.note(found, seconds, records[index].place) }
                    }
                }
            }
        }
        let seconds = (clock.now - start) / .seconds(1)
        return tally.withLock { tally in
            LoadResult(
                summary: LoadSummary(latencies: tally.latencies, errors: tally.errors, seconds: seconds),
                differing: tally.differing, first: tally.first)
        }
    }
}
