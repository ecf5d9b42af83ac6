import AssayCore
import Concurrency
import ControllerRuntime
import HTTPServer
import HTTPTransport
import JSON
import KubernetesClient
import KubernetesModel
import Testing

@testable import AssayOperator

/// What is answered to pushes, by a server that knows whose tokens are.
@Suite struct PushServerTests {
    private func status(_ response: HTTPServerResponse) throws -> JSONValue {
        guard case .bytes(let bytes) = response.body else { return .null }
        return try JSONValue(parsing: bytes)
    }

    @Test func aPodsPushIsKeptForItsTraining() async throws {
        let world = PushWorld()
        try await world.install()
        let token = try await world.token()
        let answer = await world.server.answer(
            PushWorld.request(token, #"{"progressPercentage": 40, "metrics": [{"name": "loss", "value": 0.5}]}"#))
        #expect(answer.status == 202)
        #expect(try status(answer)["status"] == "Success")
        let kept = world.inbox.pushes(of: "t-wine")
        #expect(kept.map(\.percentage) == [40] && kept.first?.metrics.map(\.name) == ["loss"])
        #expect(kept.first?.attempt == 1)
        #expect(await world.queue.next() == PushWorld.training)
        #expect(world.inbox.pushes(of: "t-beer").isEmpty)
    }

    struct Refused: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var code: Int
        var request: @Sendable (PushWorld) async throws -> HTTPServerRequest
    }

    static let refused: [Refused] = [
        .init(testDescription: "no token", code: 401) { _ in PushWorld.request(nil) },
        .init(testDescription: "an empty token", code: 401) { _ in PushWorld.request("") },
        .init(testDescription: "nonsense for a token", code: 401) { _ in PushWorld.request("nonsense") },
        .init(testDescription: "basic authentication", code: 401) { world in
            var request = PushWorld.request(nil)
            request.headers["Authorization"] = "Basic \(try await world.token())"
            return request
        },
        .init(testDescription: "a token for the API server", code: 401) {
            PushWorld.request(try await $0.token(audience: nil))
        },
        .init(testDescription: "a token for another audience", code: 401) {
            PushWorld.request(try await $0.token(audience: "vault"))
        },
        .init(testDescription: "a token of no pod", code: 401) { PushWorld.request(try await $0.token(of: nil)) },
        .init(testDescription: "a token that has expired", code: 401) { world in
            let token = try await world.token()
            world.advance(by: .seconds(601))
            return PushWorld.request(token)
        },
        .init(testDescription: "a token of a pod that is gone", code: 401) { world in
            let token = try await world.token()
            try await world.admin.delete(
                .pods, ObjectKey(namespace: "ml", name: "wine-1-abc"), DeleteOptions(gracePeriodSeconds: 0))
            return PushWorld.request(token)
        },
        .init(testDescription: "a token of another namespace", code: 403) { world in
            try await world.makePod("wine-1-abc", in: "other")
            return PushWorld.request(try await world.token(in: "other"))
        },
        .init(testDescription: "a pod of another training", code: 403) {
            PushWorld.request(try await $0.token(of: "beer-1-abc"))
        },
        .init(testDescription: "a pod of no training", code: 403) { world in
            try await world.makePod("stranger", in: "ml")
            return PushWorld.request(try await world.token(of: "stranger"))
        },
        .init(testDescription: "an attempt that has ended", code: 403) { world in
            _ = world.caches.trainingJobs.apply(PushWorld.training("wine", outcome: "Lost"))
            return PushWorld.request(try await world.token())
        },
        .init(testDescription: "a training that is not there", code: 404) { world in
            PushWorld.request(
                try await world.token(), path: "/v1/namespaces/ml/trainingjobs/none/metrics")
        },
        .init(testDescription: "another path", code: 404) { PushWorld.request(try await $0.token(), path: "/") },
        .init(testDescription: "another method", code: 405) { PushWorld.request(try await $0.token(), method: "GET") },
        .init(testDescription: "another type", code: 415) {
            PushWorld.request(try await $0.token(), type: "text/plain")
        },
        .init(testDescription: "no type", code: 415) { PushWorld.request(try await $0.token(), type: nil) },
        .init(testDescription: "too much", code: 413) {
            PushWorld.request(try await $0.token(), String(repeating: " ", count: 65_537))
        },
        .init(testDescription: "a field that is wrong", code: 422) {
            PushWorld.request(try await $0.token(), #"{"progressPercentage": 101}"#)
        },
        .init(testDescription: "a standby", code: 503) { world in
            world.leads.withLock { $0 = false }
            return PushWorld.request(try await world.token())
        },
    ]

    @Test(arguments: refused) func whateverIsWrongIsSaid(_ one: Refused) async throws {
        let world = PushWorld()
        try await world.install()
        let answer = await world.server.answer(try await one.request(world))
        #expect(answer.status == one.code)
        let told = try status(answer)
        #expect(told["kind"] == "Status" && told["code"]?.int == one.code && told["message"]?.string?.isEmpty == false)
        #expect((answer.headers["Retry-After"] != nil) == (one.code == 503))
        #expect(world.inbox.count == 0 && world.queue.count == 0, "nothing is kept of it")
        #expect(
            world.metrics.exposition().contains("assay_pushes_total{code=\"\(one.code)\"} 1"))
    }

    @Test func aTypeMaySayItsCharacters() async throws {
        let world = PushWorld()
        try await world.install()
        let token = try await world.token()
        for type in ["application/json; charset=utf-8", "Application/JSON", "application/json;x=y"] {
            #expect(await world.server.answer(PushWorld.request(token, type: type)).status == 202)
        }
        #expect(await world.server.answer(PushWorld.request(token, type: "application/jsonl")).status == 415)
    }

    // MARK: Reviews

    @Test func aTokenIsReviewedOnceAMinute() async throws {
        let world = PushWorld()
        try await world.install()
        let token = try await world.token()
        for _ in 0..<10 { #expect(await world.server.answer(PushWorld.request(token)).status == 202) }
        #expect(world.reviewCount == 1)
        world.advance(by: .seconds(61))
        #expect(await world.server.answer(PushWorld.request(token)).status == 202)
        #expect(world.reviewCount == 2)
    }

    @Test func noTokenIsBelievedBeyondItsEnd() async throws {
        let world = PushWorld()
        try await world.install()
        let token = try await world.token()
        world.advance(by: .seconds(570))
        #expect(await world.server.answer(PushWorld.request(token)).status == 202)
        world.advance(by: .seconds(29))
        #expect(await world.server.answer(PushWorld.request(token)).status == 202)
        #expect(world.reviewCount == 1)
        world.advance(by: .seconds(2))
        #expect(await world.server.answer(PushWorld.request(token)).status == 401)
    }

    @Test func aRefusalIsBelievedForSeconds() async throws {
        let world = PushWorld()
        try await world.install()
        for _ in 0..<10 { #expect(await world.server.answer(PushWorld.request("nonsense")).status == 401) }
        #expect(world.reviewCount == 1)
        world.advance(by: .seconds(6))
        #expect(await world.server.answer(PushWorld.request("nonsense")).status == 401)
        #expect(world.reviewCount == 2)
    }

    @Test func manyAtOnceAreOneReview() async throws {
        let world = PushWorld()
        try await world.install()
        let token = try await world.token()
        let server = world.server
        let codes = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<15 { group.addTask { await server.answer(PushWorld.request(token)).status } }
            return await group.reduce(into: [Int]()) { $0.append($1) }
        }
        #expect(codes == Array(repeating: 202, count: 15))
        #expect(world.reviewCount == 1)
    }

    @Test func strangersFillNoMemory() async throws {
        let world = PushWorld()
        try await world.install()
        for number in 0..<21_000 { _ = await world.server.answer(PushWorld.request("stranger-\(number)")) }
        #expect(world.reviews.count <= 20_000)
        #expect(world.inbox.paceCount == 0)
    }

    /// Without the right to review nobody is let in, and it is told once what is missing.
    @Test func withoutReviewsNobodyPushes() async throws {
        let world = PushWorld()
        try await world.install()
        let token = try await world.token()
        let binding = ResourceType(
            group: "rbac.authorization.k8s.io", version: "v1", plural: "clusterrolebindings",
            kind: "ClusterRoleBinding", isNamespaced: false)
        try await world.admin.delete(binding, ObjectKey(namespace: nil, name: "assay-operator"))
        for _ in 0..<5 {
            let answer = await world.server.answer(PushWorld.request(token))
            #expect(answer.status == 503 && answer.headers["Retry-After"] == "5")
        }
        let told = world.log.withLock { $0.filter { $0.contains("tokenreviews") } }
        #expect(told.count == 1, "\(told)")
    }

    // MARK: Pace

    @Test func aPodIsHeardOnceASecond() async throws {
        let world = PushWorld()
        try await world.install()
        let token = try await world.token()
        var codes: [Int] = []
        for _ in 0..<25 { codes.append(await world.server.answer(PushWorld.request(token)).status) }
        #expect(codes.filter { $0 == 202 }.count == 20)
        let answer = await world.server.answer(PushWorld.request(token))
        #expect(answer.status == 429 && answer.headers["Retry-After"] == "1")
        world.advance(by: .seconds(1))
        #expect(await world.server.answer(PushWorld.request(token)).status == 202)
        #expect(await world.server.answer(PushWorld.request(token)).status == 429)
    }

    @Test func whoIsSilentIsForgotten() throws {
        let inbox = PushInbox()
        for number in 0..<10_000 { try inbox.admit("pod-\(number)", now: .seconds(number)) }
        #expect(inbox.paceCount < 400)
    }

    /// A training's status is looked at at once, and then no more often than it is written; and the last push is never
    /// left out.
    @Test func aTrainingIsLookedAtNoMoreOftenThanItsStatusIsWritten() throws {
        let inbox = PushInbox()
        let subject = PushSubject(
            trainingJob: PushWorld.training, trainingJobUID: "t", jobUID: "j", step: nil, attempt: 1)
        func take(_ seconds: Int) -> Duration? {
            inbox.take(
                PushBody(percentage: 1), of: subject, told: nil, now: .seconds(seconds),
                wall: Timestamp(seconds: Int64(seconds)))
        }
        #expect(take(100) == .zero)
        #expect(take(101) == .seconds(9))
        for second in 102..<110 { #expect(take(second) == nil) }
        #expect(take(110) == .seconds(10))
        #expect(take(200) == .zero)
    }

    @Test func aTrainingThatIsOverIsForgotten() async throws {
        let world = PushWorld()
        try await world.install()
        #expect(await world.server.answer(PushWorld.request(try await world.token())).status == 202)
        #expect(world.inbox.count == 1)
        var over = PushWorld.training("wine", phase: "Succeeded", outcome: "Succeeded")
        over["metadata", "resourceVersion"] = "2"
        _ = world.caches.trainingJobs.apply(over)
        #expect(world.inbox.count == 0)
    }

    /// Another replica has taken what came before.
    @Test func historyGoesOnFromTheStatus() async throws {
        let world = PushWorld()
        try await world.install()
        var training = PushWorld.training("wine")
        training["metadata", "resourceVersion"] = "2"
        training["status", "progress"] = [
            "attempt": 1, "percentage": 30, "startTime": "2027-01-15T07:00:00Z", "lastUpdated": "2027-01-15T07:30:00Z",
            "history": [["name": "loss", "split": "holdout", "points": [["second": 0, "value": "2"]]]],
        ]
        _ = world.caches.trainingJobs.apply(training)
        #expect(await world.server.answer(PushWorld.request(try await world.token())).status == 202)
        let kept = try #require(world.inbox.pushes(of: "t-wine").first)
        #expect(kept.percentage == 30)
        #expect(kept.history.first?.points.map(\.value) == [.finite(2), .finite(0.5)])
    }
}
