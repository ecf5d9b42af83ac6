import AssayCore
import JSON
import KubernetesModel
import Testing

@Suite struct MLModelPlanTests {
    @Test func aModelIsTrainedJudgedAndServed() throws {
        var world = try World.model(at: .training)
        #expect(world.status["phase"] == "Training")
        #expect(world.created.filter { $0.hasPrefix("TrainingJob") }.count == 1)
        world.succeedJob()
        try world.settle()
        #expect(world.status["phase"] == "RollingOut")
        #expect(world.get(.services, "wine") == nil)
        let deployment = try #require(world.all(.deployments).first)
        let container = deployment["spec", "template", "spec", "containers"]?[0]
        #expect(container?["image"]?.string == "registry.local/wine@\(World.digest)")
        let run = world.all(.jobs).first?["metadata", "name"]
        #expect(container?["env"]?[0] == ["name": "ASSAY_RUN", "value": run ?? ""])
        #expect(deployment["spec", "replicas"] == 1)
        world.makeDeploymentsAvailable()
        try world.settle()
        #expect(world.status["phase"] == "Serving")
        #expect(world.status["verdict"] == "accuracy 0.97 ≥ 0.93")
        #expect(world.status["url"] == "http://wine.ml.svc")
        #expect(world.status["revision"] == deployment["metadata", "name"])
        let selector = world.get(.services, "wine")?["spec", "selector"]
        #expect(selector == ["assay.dev/model": "wine", "assay.dev/revision": world.status["revision"] ?? ""])
        #expect(world.created.count == 5)
    }

    @Test func aRefusedCandidateChangesNothingThatServes() throws {
        var world = try World.model(at: .serving)
        let before = (world.get(.services, "wine"), world.all(.deployments), world.status["revision"])
        world.change { $0["spec", "training", "template", "spec", "seed"] = 43 }
        try world.settle()
        #expect(world.status["phase"] == "Training")
        #expect(world.condition("Ready")?["status"] == "True")
        world.succeedJob(#"{"accuracy": 0.5}"#)
        try world.settle()
        #expect(world.status["phase"] == "Refused")
        #expect(world.status["verdict"] == "accuracy 0.5 < 0.93")
        #expect(world.get(.services, "wine") == before.0)
        #expect(world.all(.deployments) == before.1)
        #expect(world.status["revision"] == before.2)
    }

    @Test func anUnchangedTrainingNeverTrainsTwice() throws {
        var world = try World.model(at: .serving)
        let first = try #require(world.status["revision"])
        world.change { $0["spec", "training", "template", "spec", "seed"] = 43 }
        try world.settle()
        world.succeedJob()
        try world.settle()
        world.makeDeploymentsAvailable()
        try world.settle()
        #expect(world.status["revision"] != first)
        world.now = world.now + .seconds(60)
        try world.settle()
        #expect(world.awake.count == 1)
        world.change { $0["spec", "training", "template", "spec", "seed"] = 42 }
        try world.settle()
        world.makeDeploymentsAvailable()
        try world.settle()
        #expect(world.status["revision"] == first)
        #expect(world.created.filter { $0.hasPrefix("TrainingJob") }.count == 2)
    }

    @Test func aChangeOfTheThresholdsJudgesTheStoredMetricsAgain() throws {
        var world = try World.model(at: .serving)
        world.change { $0["spec", "validation", "thresholds"] = [threshold(0.99)] }
        try world.settle()
        #expect(world.condition("Validated")?["status"] == "False")
        #expect(world.condition("Ready")?["status"] == "True")
        #expect(world.status["phase"] == "Serving")
        world.change { $0["spec", "validation", "thresholds"] = [threshold(0.9)] }
        try world.settle()
        #expect(world.condition("Validated")?["status"] == "True")
        #expect(world.condition("Stalled") == nil)
        #expect(world.created.count == 5)
    }

    private func threshold(_ bound: Double) -> JSONValue {
        ["metric": "accuracy", "direction": "Maximize", "threshold": .number(bound)]
    }

    @Test func aRefusedRunPassesWhenTheThresholdIsLowered() throws {
        var world = try World.model(at: .training)
        world.succeedJob(#"{"accuracy": 0.9}"#)
        try world.settle()
        #expect(world.status["phase"] == "Refused")
        world.change { $0["spec", "validation", "thresholds"] = [threshold(0.85)] }
        try world.settle()
        #expect(world.status["phase"] == "RollingOut")
    }

    @Test func aChangeOfTheServingTemplateRollsTheSameBitsOutAgain() throws {
        var world = try World.model(at: .serving)
        let first = world.status["revision"]
        world.change { $0["spec", "serving", "port"] = 9090 }
        try world.settle()
        #expect(world.status["phase"] == "RollingOut")
        #expect(world.status["revision"] == first)
        #expect(world.all(.deployments).count == 2)
        world.makeDeploymentsAvailable()
        try world.settle()
        #expect(world.status["revision"] != first)
        #expect(world.all(.deployments).count == 2, "the old pods go on for a moment")
        #expect(world.get(.services, "wine")?["spec", "ports"]?[0]?["targetPort"] == 9090)
        world.now = world.now + .seconds(6)
        try world.settle()
        #expect(world.awake.count == 1)
        #expect(world.created.filter { $0.hasPrefix("TrainingJob") }.count == 1)
    }

    @Test func replicasAreFollowedThroughTheScaleAlone() throws {
        var world = try World.model(at: .serving)
        world.change { $0["spec", "serving", "replicas"] = 3 }
        let plan = try world.plan()
        let deployment = try #require(world.all(.deployments).first)
        let key = ObjectKey(namespace: "ml", name: deployment["metadata", "name"]?.string ?? "")
        #expect(
            plan.actions == [
                .mergePatch(
                    .deployments, key,
                    ["metadata": ["uid": deployment["metadata", "uid"] ?? ""], "spec": ["replicas": 3]],
                    subresource: "scale", manager: "assay-scaler")
            ])
        try world.settle()
        world.makeDeploymentsAvailable()
        try world.settle()
        #expect(world.status["replicas"] == 3)
        #expect(world.created.count == 5)
    }

    @Test func aCandidateThatNeverBecomesAvailableIsGivenUpOnce() throws {
        var world = try World.model(at: .serving)
        let serving = world.status["revision"]
        world.change { $0["spec", "serving", "port"] = 9090 }
        try world.settle()
        let candidate = try #require(world.status["candidate"]?.string)
        world.failDeployment(candidate)
        try world.settle()
        #expect(world.get(.deployments, candidate) == nil)
        #expect(world.status["phase"] == "Failed")
        #expect(world.status["revision"] == serving)
        #expect(world.condition("Ready")?["status"] == "True")
        #expect(world.condition("Stalled")?["reason"] == "RolloutFailed")
        #expect(world.created.filter { $0.hasPrefix("Deployment") }.count == 2)
        // A request to reconcile tries it again.
        world.update(.mlModels, "wine") { $0["metadata", "annotations"] = ["reconcile.fluxcd.io/requestedAt": "now"] }
        try world.settle()
        #expect(world.status["phase"] == "RollingOut")
        #expect(world.status["lastHandledReconcileAt"] == "now")
    }

    @Test func theDeadlineOfACandidateIsOursToo() throws {
        var world = try World.model(at: .rollingOut)
        world.now = world.now + .seconds(629)
        #expect(try world.plan().isEmpty)
        world.now = world.now + .seconds(2)
        try world.settle()
        #expect(world.status["phase"] == "Failed")
        #expect(world.condition("Ready")?["status"] == "False")
    }

    @Test func aServiceOfTheNameThatIsNotOursIsNeverAdopted() throws {
        var world = World()
        try world.create(.services, ["metadata": ["name": "wine"], "spec": ["selector": ["app": "other"]]])
        let before = world.get(.services, "wine")
        try world.create(.mlModels, try Sample.model())
        try world.settle()
        #expect(world.condition("Stalled")?["reason"] == "NameTaken")
        #expect(world.get(.services, "wine") == before)
        #expect(world.all(.trainingJobs).isEmpty)
    }

    @Test func aNewTrainingSupersedesTheOneUnderWay() throws {
        var world = try World.model(at: .training)
        let first = try #require(world.status["candidate"]?.string)
        world.change { $0["spec", "training", "template", "spec", "seed"] = 43 }
        try world.settle()
        #expect(world.get(.trainingJobs, first) == nil)
        #expect(world.all(.trainingJobs).count == 1)
        #expect(world.status["runs"]?[0]?["phase"] == "Superseded")
        #expect(world.status["runs"]?[1]?["number"] == 2)
        #expect(world.status["runs"]?[1]?["trigger"] == "TrainingChanged")
    }

    @Test func suspensionHoldsTheTrainingAndLeavesWhatServes() throws {
        var world = try World.model(at: .serving)
        world.change {
            $0["spec", "training", "template", "spec", "seed"] = 43
            $0["spec", "suspend"] = true
        }
        try world.settle()
        #expect(world.all(.trainingJobs).count == 1)
        #expect(world.condition("Suspended")?["status"] == "True")
        #expect(world.condition("Ready")?["status"] == "True")
        world.change { $0["spec", "suspend"] = false }
        try world.settle()
        world.change { $0["spec", "suspend"] = true }
        try world.settle()
        #expect(world.all(.trainingJobs).last?["spec", "suspend"] == true)
        #expect(world.all(.jobs).last?["spec", "suspend"] == true)
        world.change { $0["spec", "suspend"] = false }
        try world.settle()
        #expect(world.all(.jobs).last?["spec", "suspend"] == false)
        #expect(world.condition("Suspended") == nil)
    }

    @Test func whatServesAndFailsIsSaidToBeUnavailable() throws {
        var world = try World.model(at: .serving)
        let name = try #require(world.status["revision"]?.string)
        world.update(.deployments, name) {
            $0["status", "availableReplicas"] = 0
            $0["status", "conditions"] = [["type": "Available", "status": "False", "reason": "x"]]
        }
        try world.settle()
        #expect(world.condition("Ready")?["status"] == "False")
        #expect(world.status["phase"] == "Unavailable")
    }

    @Test func whatSomebodyElseChangesIsMended() throws {
        var world = try World.model(at: .serving)
        let name = try #require(world.status["revision"]?.string)
        let (deployment, service) = (world.get(.deployments, name)?["spec"], world.get(.services, "wine")?["spec"])
        world.update(.deployments, name) { $0["spec", "progressDeadlineSeconds"] = 1 }
        world.update(.services, "wine") { $0["spec", "selector", "app"] = "other" }
        try world.settle()
        #expect(world.get(.deployments, name)?["spec"] == deployment)
        #expect(world.get(.services, "wine")?["spec"] == service)
        world.remove(.deployments, name)
        world.remove(.services, "wine")
        try world.settle()
        #expect(world.get(.deployments, name)?["spec"] == deployment)
        #expect(world.get(.services, "wine")?["spec"] == service)
    }

    @Test func anUnpinnedImageIsNotServedUnlessAllowed() throws {
        var world = try World.model(at: .training)
        world.succeedJob(imageID: "sha256:" + String(repeating: "ab", count: 32))
        try world.settle()
        #expect(world.condition("ImagePinned")?["status"] == "False")
        #expect(world.condition("Stalled")?["reason"] == "ImageNotPinned")
        #expect(world.all(.deployments).isEmpty)
        world.change { $0["spec", "serving", "allowUnpinned"] = true }
        try world.settle()
        #expect(world.all(.deployments).count == 1)
    }

    @Test func imageFromGivesAContainerTheImageThatTrained() throws {
        var world = try World.model(at: .training) {
            $0["spec", "serving", "imageFrom"] = [["container": "server"]]
            $0["spec", "serving", "template"] = ["spec": ["containers": [["name": "server"]]]]
        }
        world.succeedJob()
        try world.settle()
        let image = world.all(.deployments).first?["spec", "template", "spec", "containers"]?[0]?["image"]
        #expect(image?.string == "registry.local/wine@\(World.digest)")
    }

    @Test func aFailedTrainingIsToldInTheModelsOwnFields() throws {
        var world = try World.model(at: .training)
        world.failJob(exitCode: 1, message: "ValueError: bad input", ofJob: "BackoffLimitExceeded")
        try world.settle()
        #expect(world.status["phase"] == "Failed")
        let message = world.condition("Stalled")?["message"]?.string ?? ""
        #expect(message.contains("spec.training.template.spec.template.spec.containers[0]"), "\(message)")
        #expect(message.contains("exit code 1: ValueError: bad input"), "\(message)")
        #expect(world.condition("Ready")?["status"] == "False")
    }
}

extension MLModelPlanTests {
    @Test func aDeploymentOfTheNameThatIsNotOursIsNeverAdopted() throws {
        var world = try World.model(at: .training)
        world.succeedJob()
        try world.settle()
        let name = try #require(world.status["candidate"]?.string)
        // As if somebody had been faster, and our status had not been written.
        world.update(.deployments, name) { $0["metadata", "ownerReferences"] = [] }
        world.update(.mlModels, "wine") { $0["status", "revisions"] = [] }
        let before = world.get(.deployments, name)
        let model = try #require(try world.model())
        #expect(MLModelPlan.deploymentNames(of: model) == [name])
        try world.settle()
        #expect(world.condition("Stalled")?["reason"] == "NameTaken")
        #expect(world.get(.deployments, name) == before)
    }
}
