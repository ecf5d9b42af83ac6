import AssayCore
import JSON
import KubernetesModel
import Testing

/// The table of situations in `docs/api.md`, row by row, as kstatus reads it.
@Suite struct SituationTests {
    struct Row: Sendable, CustomTestStringConvertible {
        var name: String
        var ready: String
        var reconciling: Bool
        var stalled: Bool
        var kstatus: KStatus.Phase
        var world: @Sendable () throws -> World
        var testDescription: String { name }
    }

    private static func changed(_ edit: (inout JSONValue) -> Void) throws -> World {
        var world = try World.model(at: .serving)
        world.change(edit)
        try world.settle()
        return world
    }

    static let rows: [Row] = [
        .init(name: "first training", ready: "False", reconciling: true, stalled: false, kstatus: .inProgress) {
            try World.model(at: .training)
        },
        .init(name: "first rollout", ready: "False", reconciling: true, stalled: false, kstatus: .inProgress) {
            try World.model(at: .rollingOut)
        },
        .init(name: "serving", ready: "True", reconciling: false, stalled: false, kstatus: .current) {
            try World.model(at: .serving)
        },
        .init(
            name: "new generation, the old revision serves", ready: "True", reconciling: true, stalled: false,
            kstatus: .inProgress
        ) {
            try changed { $0["spec", "training", "template", "spec", "seed"] = 43 }
        },
        .init(
            name: "refused candidate of the current generation", ready: "True", reconciling: false, stalled: true,
            kstatus: .failed
        ) {
            var world = try changed { $0["spec", "training", "template", "spec", "seed"] = 43 }
            world.succeedJob(#"{"accuracy": 0.1}"#)
            try world.settle()
            return world
        },
        .init(name: "first candidate refused", ready: "False", reconciling: false, stalled: true, kstatus: .failed) {
            var world = try World.model(at: .training)
            world.succeedJob(#"{"accuracy": 0.1}"#)
            try world.settle()
            return world
        },
        .init(name: "first training failed", ready: "False", reconciling: false, stalled: true, kstatus: .failed) {
            var world = try World.model(at: .training)
            world.failJob(ofJob: "BackoffLimitExceeded")
            try world.settle()
            return world
        },
        .init(name: "suspended while serving", ready: "True", reconciling: false, stalled: false, kstatus: .current) {
            try changed { $0["spec", "suspend"] = true }
        },
        .init(name: "suspended before", ready: "False", reconciling: false, stalled: false, kstatus: .inProgress) {
            var world = try World.model(at: .training)
            world.change { $0["spec", "suspend"] = true }
            try world.settle()
            return world
        },
        .init(name: "invalid while serving", ready: "True", reconciling: false, stalled: true, kstatus: .failed) {
            try changed { $0["spec", "validation"] = [:] }
        },
        .init(name: "invalid from the start", ready: "False", reconciling: false, stalled: true, kstatus: .failed) {
            var world = try World.model(at: .applied) { $0["spec", "validation"] = [:] }
            try world.settle()
            return world
        },
        .init(name: "serving pods gone", ready: "False", reconciling: true, stalled: false, kstatus: .inProgress) {
            var world = try World.model(at: .serving)
            world.failDeployment(world.status["revision"]?.string ?? "")
            try world.settle()
            return world
        },
    ]

    @Test(arguments: rows)
    func theConditionsAreThoseOfTheTable(_ row: Row) throws {
        let world = try row.world()
        let object = try #require(world.get(.mlModels, "wine"))
        #expect(world.condition("Ready")?["status"]?.string == row.ready)
        #expect((world.condition("Reconciling")?["status"] == "True") == row.reconciling)
        #expect((world.condition("Stalled")?["status"] == "True") == row.stalled)
        #expect(KStatus.compute(object).phase == row.kstatus)
        #expect(world.status["observedGeneration"] == object["metadata", "generation"])
        for condition in world.status["conditions"]?.array ?? [] {
            #expect(condition["observedGeneration"] != nil && condition["lastTransitionTime"] != nil)
            #expect(condition["reason"]?.string?.isEmpty == false && condition["message"]?.string?.isEmpty == false)
        }
    }
}
