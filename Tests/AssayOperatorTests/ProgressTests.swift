import Concurrency
import ControllerRuntime
import JSON
import KubernetesModel
import Testing

@testable import AssayCore
@testable import AssayOperator

/// What only tells how far things are is told without haste, and to nobody who decides.
@Suite struct ProgressTests {
    private static func trainingJob(_ version: Int, _ edit: (inout JSONValue) -> Void = { _ in }) -> JSONValue {
        var object: JSONValue = [
            "apiVersion": "assay.dev/v1alpha1", "kind": "TrainingJob",
            "metadata": [
                "namespace": "ml", "name": "wine-1", "uid": "t", "resourceVersion": .string("\(version)"),
                "generation": 1,
                "ownerReferences": [
                    [
                        "apiVersion": .string(ResourceType.mlModels.apiVersion), "kind": "MLModel", "name": "wine",
                        "uid": "m", "controller": true,
                    ]
                ],
            ],
            "spec": [:],
            "status": [
                "observedGeneration": 1, "phase": "Running", "reason": "Training",
                "attempts": [["number": 1, "job": "wine-1-1", "outcome": "Running", "message": "pulls"]],
                "conditions": [
                    [
                        "type": "Ready", "status": "False", "reason": "Training", "message": "step 1",
                        "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": 1,
                    ]
                ],
            ],
        ]
        edit(&object)
        return object
    }

    struct Change: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var concernsTheModel: Bool
        var edit: @Sendable (inout JSONValue) -> Void
    }

    static let changes: [Change] = [
        .init(testDescription: "words of a condition", concernsTheModel: false) {
            $0["status", "conditions"] = .array(
                ($0["status", "conditions"]?.array ?? []).map {
                    var condition = $0
                    condition["message"] = "step 2"
                    return condition
                })
        },
        .init(testDescription: "words of an attempt", concernsTheModel: false) {
            $0["status", "attempts"] = [["number": 1, "job": "wine-1-1", "outcome": "Running", "message": "runs"]]
        },
        .init(testDescription: "what was pushed", concernsTheModel: false) {
            $0["status", "progress"] = ["attempt": 1, "percentage": 40]
        },
        .init(testDescription: "phase", concernsTheModel: true) { $0["status", "phase"] = "Succeeded" },
        .init(testDescription: "reason", concernsTheModel: true) { $0["status", "reason"] = "ErrImagePull" },
        .init(testDescription: "metrics", concernsTheModel: true) {
            $0["status", "metrics"] = [["name": "accuracy", "value": "0.97"]]
        },
        .init(testDescription: "a second attempt", concernsTheModel: true) {
            $0["status", "attempts"] = [
                ["number": 1, "job": "wine-1-1", "outcome": "Failed"],
                ["number": 2, "job": "wine-1-2", "outcome": "Running"],
            ]
        },
        .init(testDescription: "an unreadable status", concernsTheModel: true) { $0["status", "phase"] = "Nowhere" },
        .init(testDescription: "deletion", concernsTheModel: true) {
            $0["metadata", "deletionTimestamp"] = "2026-01-01T00:00:00Z"
        },
        .init(testDescription: "labels", concernsTheModel: true) { $0["metadata", "labels"] = ["a": "b"] },
        .init(testDescription: "spec", concernsTheModel: true) { $0["spec", "suspend"] = true },
    ]

    @Test(arguments: changes) func aTrainingsProgressAloneDoesNotConcernItsModel(_ change: Change) throws {
        let before = try TrainingJob(json: Self.trainingJob(1))
        #expect(before.status.value != nil)
        let after = try TrainingJob(json: Self.trainingJob(2, change.edit))
        #expect(after.differsInProgressAlone(from: before) != change.concernsTheModel)
    }

    @Test(arguments: changes) func onlyWhatConcernsTheModelIsRouted(_ change: Change) async throws {
        let time = ManualTime()
        let (caches, trainings, models) = (Caches(), WorkQueue(time: time), WorkQueue(time: time))
        caches.route(trainingJobs: trainings, models: models)
        caches.trainingJobs.beginList()
        #expect(caches.trainingJobs.stage([Self.trainingJob(1)]).isEmpty)
        caches.trainingJobs.finishList(resourceVersion: "1")
        let model = ObjectKey(namespace: "ml", name: "wine")
        #expect(await models.next() == model)
        models.done(model)
        _ = caches.trainingJobs.apply(Self.trainingJob(2, change.edit))
        #expect(models.count == (change.concernsTheModel ? 1 : 0))
    }

    private static let key = ObjectKey(namespace: "ml", name: "wine")

    private static func write(_ edit: (inout MLModelStatus) -> Void) throws -> StatusWrite {
        var old = MLModelStatus()
        old.observedGeneration = 1
        (old.phase, old.replicas, old.readyReplicas) = (.serving, 3, 1)
        var new = old
        edit(&new)
        let metadata = ObjectMeta(name: "wine", namespace: "ml", uid: "m", resourceVersion: "1")
        return try #require(StatusWrite(metadata: metadata, from: old, to: new))
    }

    @Test func progressAloneIsWrittenEveryTenSeconds() throws {
        let pace = StatusPace()
        let progress = try Self.write { $0.readyReplicas = 2 }
        #expect(pace.wait(progress, Self.key, now: .seconds(100)) == nil, "nothing was written lately")
        pace.note(Self.key, now: .seconds(100))
        #expect(pace.wait(progress, Self.key, now: .seconds(100)) == .seconds(10))
        #expect(pace.wait(progress, Self.key, now: .seconds(103)) == .seconds(7))
        #expect(pace.wait(progress, ObjectKey(namespace: "ml", name: "other"), now: .seconds(103)) == nil)
        #expect(pace.wait(progress, Self.key, now: .seconds(110)) == nil)
    }

    @Test func allElseIsWrittenAtOnce() throws {
        let pace = StatusPace()
        pace.note(Self.key, now: .seconds(100))
        let edits: [(inout MLModelStatus) -> Void] = [
            { $0.phase = .unavailable }, { $0.readyReplicas = 0 }, { $0.revision = "wine-1" },
            { $0.observedGeneration = 2 },
            {
                $0.readyReplicas = 2
                $0.reason = "Serving"
            },
        ]
        for edit in edits { #expect(pace.wait(try Self.write(edit), Self.key, now: .seconds(101)) == nil) }
    }

    @Test func whatHoldsNothingBackIsForgotten() throws {
        let pace = StatusPace()
        for index in 0..<10_000 {
            pace.note(ObjectKey(namespace: "ml", name: "m\(index)"), now: .milliseconds(100 * index))
        }
        // A hundred of them are of the last ten seconds.
        #expect(pace.count < 400)
    }
}
