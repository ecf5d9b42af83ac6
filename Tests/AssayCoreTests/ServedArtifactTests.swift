import JSON
import KubernetesModel
import Testing

@testable import AssayCore

/// A model whose server reads what the training's steps have made.
@Suite struct ServedArtifactTests {
    private func model(_ change: (inout JSONValue) -> Void = { _ in }) throws -> JSONValue {
        let training = try Sample.workflow()["spec"] ?? [:]
        return try Sample.model { object in
            object["spec", "training", "template", "spec"] = training
            object["spec", "serving", "artifacts"] = ["model", "scaler"]
            object["spec", "serving", "imageFrom"] = [["container": "server", "step": "train"]]
            object["spec", "serving", "template"] = ["spec": ["containers": [["name": "server"]]]]
            change(&object)
        }
    }

    private func trained(_ change: (inout JSONValue) -> Void = { _ in }) throws -> World {
        var world = World()
        try world.create(.mlModels, try model(change))
        try world.settle()
        try world.finishWorkflow()
        return world
    }

    private func pod(_ world: World) throws -> JSONValue {
        let deployment = try #require(world.all(.deployments).first)
        return try #require(deployment["spec", "template", "spec"])
    }

    @Test func theServerFetchesByDigestWhatTheTrainingMade() throws {
        var world = try trained()
        let pod = try pod(world)
        let fetch = try #require(pod["initContainers"]?.array?.first)
        let command = fetch["command"]?.array?.compactMap(\.string) ?? []
        #expect(command.starts(with: ["assay", "artifact", "fetch", "--inputs-directory", "/assay/inputs"]))
        #expect(command.contains("model=sha256:\(ContentHash(of: ["model"]).hex)"))
        #expect(command.contains("scaler=sha256:\(ContentHash(of: ["scaler"]).hex)"))
        #expect(!command.contains { $0.hasPrefix("features=") })
        let server = try #require(pod["containers"]?.array?.first)
        #expect(server["image"]?.string == "registry.local/wine@\(World.digest)")
        let mounts = server["volumeMounts"]?.array ?? []
        #expect(mounts.compactMap { $0["mountPath"]?.string } == ["/assay/inputs", "/mnt/models"])
        #expect(mounts.allSatisfy { $0["readOnly"] == true })
        let variables = (server["env"]?.array ?? []).compactMap { $0["name"]?.string }
        #expect(variables.starts(with: ["ASSAY_RUN", "ASSAY_INPUT_MODEL", "ASSAY_INPUT_SCALER"]))
        world.makeDeploymentsAvailable()
        try world.settle()
        #expect(world.status["phase"] == "Serving")
        #expect(world.status["runs"]?[0]?["artifacts"]?.array?.count == 5)
        #expect(try world.settle() == 0)
    }

    /// A change of the training that comes to the same product changes nothing that serves.
    @Test func anEqualProductIsTheSameRevision() throws {
        var world = try trained()
        world.makeDeploymentsAvailable()
        try world.settle()
        let revision = world.status["revision"]
        world.change { $0["spec", "training", "template", "spec", "seed"] = 43 }
        try world.settle()
        try world.finishWorkflow()
        try world.settle()
        #expect(world.status["runs"]?.array?.count == 2)
        #expect(world.status["revision"] == revision)
        #expect(world.all(.deployments).count == 1)
        #expect(world.condition("Reconciling") == nil)
        #expect(try world.settle() == 0)
    }

    @Test func anotherProductIsAnotherRevision() throws {
        var world = try trained()
        world.makeDeploymentsAvailable()
        try world.settle()
        let revision = world.status["revision"]
        world.change { $0["spec", "training", "template", "spec", "seed"] = 43 }
        try world.settle()
        try world.finishWorkflow(salt: "other")
        world.makeDeploymentsAvailable()
        try world.settle()
        #expect(world.status["revision"] != revision)
        // Back to what served before: it is told of the run that made it last.
        world.change { $0["spec", "training", "template", "spec", "seed"] = 44 }
        try world.settle()
        try world.finishWorkflow()
        world.makeDeploymentsAvailable()
        try world.settle()
        #expect(world.status["revision"] == revision)
        let entry = world.status["revisions"]?.array?.first { $0["name"] == revision }
        #expect(entry?["run"] == 3)
        #expect(try world.settle() == 0)
    }

    /// Pods that serve go on as they are when the operator becomes another.
    @Test func anUpgradeOfTheOperatorRestartsNothing() throws {
        var world = try trained()
        world.makeDeploymentsAvailable()
        try world.settle()
        let before = try pod(world)
        world.operatorImage = "assay:2"
        #expect(try world.settle() == 0)
        #expect(try pod(world) == before)
    }

    @Test func withoutTheOperatorsImageTheRolloutWaits() throws {
        var world = World()
        try world.create(.mlModels, try model())
        try world.settle()
        for step in ["extract", "prepare", "train"] { try world.finishStep(step) }
        world.endStep("evaluate", metrics: #"{"accuracy": 0.97}"#)
        world.operatorImage = nil
        try world.settle()
        #expect(world.all(.deployments).isEmpty)
        #expect(world.condition("Reconciling")?["reason"] == "OperatorImageUnknown")
        world.operatorImage = "assay:1"
        try world.settle()
        #expect(world.all(.deployments).count == 1)
    }

    @Test func aVolumeOfOneNodeServesOneReplica() throws {
        var world = World()
        world.claim = .ofOneNode
        try world.create(.mlModels, try model { $0["spec", "serving", "replicas"] = 2 })
        try world.settle()
        try world.finishWorkflow()
        #expect(world.all(.deployments).isEmpty)
        #expect(world.condition("Stalled")?["reason"] == "StoreOfOneNode")
        world.change { $0["spec", "serving", "replicas"] = 1 }
        try world.settle()
        #expect(world.all(.deployments).count == 1)
    }

    @Test func whatTheTrainingDoesNotMakeIsNotServed() throws {
        func problems(_ change: (inout JSONValue) -> Void) throws -> [String] {
            try MLModel(json: try model(change)).problems.map(\.description)
        }
        #expect(try problems { _ in } == [])
        #expect(
            try problems { $0["spec", "serving", "artifacts"] = ["model", "weights", "model"] } == [
                "spec.serving.artifacts[1]: no step of spec.training has the output weights",
                "spec.serving.artifacts[2]: model is there twice",
            ])
        #expect(
            try problems { $0["spec", "serving", "imageFrom"] = [["container": "server", "step": "fit"]] } == [
                "spec.serving.imageFrom[0].step: the training has no step fit"
            ])
        #expect(
            try problems { $0["spec", "serving", "imageFrom"] = [["container": "server"]] } == [
                "spec.serving.imageFrom[0].step: is required: the training has the steps train, evaluate, prepare, extract"
            ])
        let mounted: JSONValue = [
            ["name": "server", "volumeMounts": [["name": "v", "mountPath": "/mnt/models/model"]]]
        ]
        #expect(
            try problems { $0["spec", "serving", "template", "spec", "containers"] = mounted } == [
                "spec.serving.template.spec.containers[0].volumeMounts[0].mountPath: /mnt/models is the operator's"
            ])
    }
}

extension World {
    /// All steps of the sample's workflow end well. Equal salts make equal artifacts.
    mutating func finishWorkflow(salt: String = "") throws {
        for step in ["extract", "prepare", "train"] { try finishStep(step, salt: salt) }
        try finishStep("evaluate", metrics: #"{"accuracy": 0.97}"#, salt: salt)
    }
}
