import Concurrency
import HTTPTransport
import JSON
import KubernetesModel
import Testing

@testable import KubernetesClient

private let wine = ObjectKey(namespace: "ml", name: "wine")
private typealias Answer = ScriptedTransport.Answer
private let asked: HTTPHeaders = ["Retry-After": "3"]

/// An answer and whether a read or a write is tried again after it.
private struct Case: Sendable {
    var answer: Answer
    var read: Bool
    var write: Bool
    var unknown: Bool
}

private let cases: [Case] = [
    Case(answer: .failure(.connect), read: true, write: true, unknown: false),
    Case(answer: .failure(.tls), read: false, write: false, unknown: false),
    Case(answer: .failure(.timeout), read: false, write: false, unknown: true),
    Case(answer: .failure(.broken), read: true, write: false, unknown: true),
    Case(answer: .failure(.cancelled), read: false, write: false, unknown: true),
    Case(answer: .failure(.closed), read: false, write: false, unknown: true),
    Case(answer: .failure(.invalidRequest), read: false, write: false, unknown: false),
    Case(answer: .response(200, chunks: ["{"]), read: false, write: false, unknown: true),
    Case(answer: .status(400, "BadRequest"), read: false, write: false, unknown: false),
    Case(answer: .status(401), read: false, write: false, unknown: false),
    Case(answer: .status(403), read: false, write: false, unknown: false),
    Case(answer: .status(404), read: false, write: false, unknown: false),
    Case(answer: .status(409, "Conflict"), read: false, write: false, unknown: false),
    Case(answer: .status(410, "Expired"), read: false, write: false, unknown: false),
    Case(answer: .status(422, "Invalid"), read: false, write: false, unknown: false),
    Case(answer: .status(429), read: true, write: false, unknown: false),
    Case(answer: .status(429, headers: asked), read: true, write: true, unknown: false),
    Case(answer: .status(500), read: true, write: false, unknown: true),
    Case(answer: .status(501), read: false, write: false, unknown: false),
    Case(answer: .status(503, headers: asked), read: true, write: false, unknown: true),
    Case(answer: .status(504), read: true, write: false, unknown: true),
    Case(answer: .response(302, chunks: []), read: false, write: false, unknown: false),
]

@Suite struct RetryTests {
    @Test(arguments: cases.indices)
    func aCallIsTriedAgainOnlyWhereThatIsRight(_ index: Int) async throws {
        let item = cases[index]
        for (isWrite, isRetried) in [(false, item.read), (true, item.write)] {
            let transport = ScriptedTransport([item.answer, .json(["kind": "Job"])])
            let client = KubernetesClient(transport: transport, time: InstantTime(), random: { 0.5 })
            var error: KubernetesError?
            do throws(KubernetesError) {
                if isWrite {
                    _ = try await client.create(
                        .jobs, ["metadata": ["name": "wine", "namespace": "ml"]], fieldManager: "assay")
                } else {
                    _ = try await client.get(.jobs, wine)
                }
            } catch let failure {
                error = failure
            }
            #expect((error == nil) == isRetried, "\(isWrite ? "write" : "read"): \(String(describing: error))")
            #expect(transport.requests.count == (isRetried ? 2 : 1))
            if let error {
                #expect(error.operation == (isWrite ? "create jobs.batch ml/wine" : "get jobs.batch ml/wine"))
                #expect(error.outcomeIsUnknown == item.unknown)
            }
        }
    }

    @Test func triesAreBoundedAndSpreadWithinADoublingWindow() async {
        let time = InstantTime()
        let transport = ScriptedTransport(Array(repeating: .status(503), count: 10))
        let client = KubernetesClient(transport: transport, time: time, random: { 0.25 })
        let error = await #expect(throws: KubernetesError.self) { try await client.get(.jobs, wine) }
        #expect(error?.isServerError == true)
        #expect(transport.requests.count == 4)
        #expect(time.slept == [.milliseconds(25), .milliseconds(50), .milliseconds(100)])
    }

    @Test(arguments: [
        ("3", 3.0), ("3600", 60), ("99999999999999999999", 60), ("Thu, 01 Jan 2026 00:00:20 GMT", 20),
        ("Thu, 01 Jan 2026 00:10:00 GMT", 60),
    ])
    func theServersWaitIsFollowedForAtMostAMinute(_ header: String, _ seconds: Double) async throws {
        let time = InstantTime()
        let transport = ScriptedTransport([.status(429, headers: ["Retry-After": header]), .json(["kind": "Job"])])
        let client = KubernetesClient(transport: transport, time: time, random: { 0.5 })
        _ = try await client.get(.jobs, wine)
        #expect(time.slept == [.milliseconds(Int64(seconds * 1050))])
    }

    /// A server that says "at once" again and again is not asked as often as the network allows.
    @Test(arguments: ["0", "00", "Wed, 31 Dec 2025 23:59:00 GMT"])
    func noWaitAtAllIsOurOwnBackoff(_ header: String) async throws {
        let time = InstantTime()
        let refusals = Array(
            repeating: ScriptedTransport.Answer.status(429, headers: ["Retry-After": header]), count: 3)
        let transport = ScriptedTransport(refusals + [.json(["kind": "Job"])])
        let client = KubernetesClient(transport: transport, time: time, random: { 0.5 })
        _ = try await client.get(.jobs, wine)
        #expect(time.slept == [.milliseconds(50), .milliseconds(100), .milliseconds(200)])
    }

    @Test(arguments: ["", "soon", "-1", "1.5", "Thu, 01 Jan 2026 00:00:20 CET", "Thu, 40 Jan 2026 00:00:20 GMT"])
    func aWaitThatCannotBeReadIsNone(_ header: String) {
        #expect(RetryAfter.parse(header, wallNow: .zero) == nil)
    }

    @Test func theWaitInTheStatusCountsWhereTheHeaderIsMissing() async {
        let transport = ScriptedTransport([
            .json(
                ["kind": "Status", "code": 500, "reason": "ServerTimeout", "details": ["retryAfterSeconds": 2]],
                status: 500)
        ])
        let client = KubernetesClient(transport: transport, retry: .never)
        let error = await #expect(throws: KubernetesError.self) { try await client.get(.jobs, wine) }
        #expect(error?.retryAfter == .seconds(2))
    }

    @Test func cancellingWhileWaitingEndsTheCall() async throws {
        let time = ManualTime()
        let transport = ScriptedTransport([.status(503, headers: asked), .json([:])])
        let client = KubernetesClient(transport: transport, time: time)
        try await withThrowingTaskGroup(of: KubernetesError?.self) { group in
            group.addTask {
                do throws(KubernetesError) {
                    _ = try await client.get(.jobs, wine)
                    return nil
                } catch {
                    return error
                }
            }
            await time.waitForSleepers(1)
            group.cancelAll()
            let error = try await group.next() ?? nil
            #expect(error?.isCancelled == true)
        }
        #expect(transport.requests.count == 1)
    }

    @Test(arguments: [
        (404, "", "NotFound", ""), (409, "AlreadyExists: no Status", "Conflict", "AlreadyExists: no Status"),
        (502, "<html>\n", "", "<html>"),
    ])
    func anAnswerWithoutStatusIsGivenItsWords(_ code: Int, _ body: String, _ reason: String, _ message: String) async {
        let transport = ScriptedTransport([.response(code, chunks: [body])])
        let client = KubernetesClient(transport: transport, retry: .never)
        let error = await #expect(throws: KubernetesError.self) { try await client.get(.jobs, wine) }
        #expect(error?.status == KubernetesStatus(code: code, reason: reason, message: message))
    }

    @Test func theWordsOfAnErrorSayWhatWasTriedAndWhatCameBack() async {
        let status = KubernetesStatus(code: 422, reason: "Invalid", message: "spec.template: Required value")
        #expect(
            KubernetesError(.status(status), operation: "create jobs.batch ml/wine").description
                == "create jobs.batch ml/wine: the server answered 422 Invalid: spec.template: Required value")
        #expect(KubernetesError(.status(status), operation: "x").isInvalid)
        let exists = KubernetesError(.status(.init(code: 409, reason: "AlreadyExists", message: "")), operation: "x")
        #expect(exists.isAlreadyExists && !exists.isConflict)
        let conflict = KubernetesError(.status(.init(code: 409, reason: "Conflict", message: "")), operation: "x")
        #expect(!conflict.isAlreadyExists && conflict.isConflict)
    }
}

/// A time in which waiting takes none, and is noted.
final class InstantTime: TimeSource {
    private let waits = Locked<[Duration]>([])
    var slept: [Duration] { waits.withLock { $0 } }
    func monotonicNow() -> Duration { .zero }
    func wallNow() -> Duration { .seconds(1_767_225_600) }
    func sleep(for duration: Duration) async throws { waits.withLock { $0.append(duration) } }
}
