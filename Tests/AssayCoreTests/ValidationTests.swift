import AssayCore
import JSON
import KubernetesModel
import Testing

@Suite struct ValidationTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var field: String
        var says: String
        var change: @Sendable (inout JSONValue) -> Void
        var testDescription: String { "\(field) \(says)" }

        init(_ field: String, _ says: String, _ change: @escaping @Sendable (inout JSONValue) -> Void) {
            self.field = field
            self.says = says
            self.change = change
        }
    }

    private static let pod = ["spec", "training", "template", "spec", "template", "spec"]

    static let cases: [Case] = [
        .init("metadata.name", "at most 52") { $0["metadata", "name"] = .string(String(repeating: "a", count: 53)) },
        .init("metadata.name", "begin with a letter") { $0["metadata", "name"] = "1wine" },
        .init("metadata.name", "begin with a letter") { $0["metadata", "name"] = "wine.v1" },
        .init("spec.training.template.spec.template.spec", "at least one container") {
            $0[path: pod] = nil
        },
        .init("spec.training.template.spec.template.spec.containers", "at least one container") {
            $0[path: pod + ["containers"]] = []
        },
        .init("spec.training.template.spec.template.spec.containers[0].image", "is required") {
            $0[path: pod + ["containers"]] = [["name": "train"]]
        },
        .init("spec.training.template.spec.template.spec.containers[1].name", "twice") {
            $0[path: pod + ["containers"]] = [["name": "a", "image": "a"], ["name": "a", "image": "a"]]
        },
        .init(
            "spec.training.template.spec.template.spec.containers[0].env[0].name", "ASSAY_SEED is set by the operator"
        ) {
            $0[path: pod + ["containers"]] = [
                ["name": "a", "image": "registry.local/wine:1.4", "env": [["name": "ASSAY_SEED", "value": "1"]]]
            ]
        },
        .init("spec.training.template.spec.template.spec.restartPolicy", "must be Never") {
            $0[path: pod + ["restartPolicy"]] = "OnFailure"
        },
        .init("spec.training.template.spec.template.metadata.labels[assay.dev/model]", "set by the operator") {
            $0["spec", "training", "template", "spec", "template", "metadata", "labels", "assay.dev/model"] = "x"
        },
        .init("spec.training.template.spec.parameters[9]", "begins with a letter") {
            $0["spec", "training", "template", "spec", "parameters"] = ["9": "x"]
        },
        .init("spec.training.template.spec.parameters[learningRate]", "as LearningRate does") {
            $0["spec", "training", "template", "spec", "parameters"] = ["LearningRate": "x", "learningRate": "y"]
        },
        .init("spec.training.template.spec.seed", "must be an integer") {
            $0["spec", "training", "template", "spec", "seed"] = "x"
        },
        .init("spec", "either training or artifact") { $0["spec", "training"] = nil },
        .init("spec.validation", "gate: None") { $0["spec", "validation"] = [:] },
        .init("spec.validation.gate", "contradicts") { $0["spec", "validation", "gate"] = "None" },
        .init("spec.validation.gate", "must be one of \"None\"") { $0["spec", "validation", "gate"] = "Open" },
        .init("spec.validation.thresholds[0]", "has no bound") {
            $0["spec", "validation", "thresholds"] = [["metric": "a", "direction": "Maximize"]]
        },
        .init("spec.validation.thresholds[0].direction", "is required") {
            $0["spec", "validation", "thresholds"] = [["metric": "a", "threshold": 1]]
        },
        .init("spec.validation.thresholds[0].metric", "characters") {
            $0["spec", "validation", "thresholds"] = [["metric": "a b", "direction": "Maximize", "threshold": 1]]
        },
        .init("spec.validation.thresholds[1].threshold", "already") {
            let rule: JSONValue = ["metric": "a", "direction": "Maximize", "threshold": 1]
            $0["spec", "validation", "thresholds"] = [rule, rule]
        },
        .init("spec.validation.thresholds[0].whenNoBaseline", "needs") {
            $0["spec", "validation", "thresholds"] = [
                ["metric": "a", "direction": "Maximize", "threshold": 1, "whenNoBaseline": "Pass"]
            ]
        },
        .init("spec.validation.requireAttested", "needs thresholds") {
            $0["spec", "validation"] = ["gate": "None", "requireAttested": true]
        },
        .init("spec.serving.port", "between 1 and 65535") { $0["spec", "serving", "port"] = 0 },
        .init("spec.serving.replicas", "between") { $0["spec", "serving", "replicas"] = -1 },
        .init("spec.serving.imageFrom", "is not there") {
            $0["spec", "serving", "imageFrom"] = [["container": "other"]]
        },
        .init("spec.serving.template.spec.containers[0].image", "comes from imageFrom") {
            $0["spec", "serving", "imageFrom"] = [["container": "server"]]
        },
        .init("spec.serving.template.spec.containers[0].image", "allowUnpinned: true") {
            $0["spec", "serving", "template", "spec", "containers"] = [["name": "server", "image": "other:1"]]
        },
        .init("spec.serving.template.spec.restartPolicy", "must be Always") {
            $0["spec", "serving", "template", "spec", "restartPolicy"] = "Never"
        },
    ]

    @Test(arguments: cases)
    func aMistakeIsToldWithItsField(_ example: Case) throws {
        let object = try Sample.model(example.change)
        let problems = try MLModel(json: object).problems
        let problem = try #require(problems.first, "\(problems)")
        #expect(problem.path.hasPrefix(example.field), "\(problems)")
        #expect(problem.message.contains(example.says), "\(problems)")

        var world = World()
        try world.create(.mlModels, object)
        let name = object["metadata", "name"]?.string ?? ""
        try world.execute(try world.plan(model: name), for: .mlModels, name)
        let status = world.get(.mlModels, name)?["status"]
        #expect(status?["reason"] == "InvalidSpec")
        #expect(status?["phase"] == "Invalid")
        #expect(world.created.count == 1)
        #expect(try world.plan(model: name).isEmpty)
    }

    @Test func theSampleIsWithoutProblems() throws {
        #expect(try MLModel(json: try Sample.model()).problems.isEmpty)
        #expect(try TrainingJob(json: try Sample.trainingJob()).problems.isEmpty)
    }

    @Test func anyShapeAtAllEndsInACondition() throws {
        let shapes: [JSONValue] = [.null, true, 1, 0.5, "x", [], [1], [:], ["a": .null]]
        let paths = [
            ["spec"], ["spec", "template"], ["spec", "template", "spec"], ["spec", "template", "metadata"],
            ["spec", "template", "metadata", "labels"], ["spec", "template", "spec", "containers"],
            ["spec", "template", "spec", "volumes"], ["spec", "template", "spec", "securityContext"],
            ["spec", "parameters"], ["spec", "podFailurePolicy"], ["spec", "suspend"], ["metadata", "annotations"],
        ]
        for path in paths {
            for shape in shapes {
                let object = try Sample.trainingJob { $0[path: path] = shape }
                let job: TrainingJob
                do {
                    job = try TrainingJob(json: object)
                } catch {
                    #expect(path.first == "metadata", "only metadata is the server's own to keep in shape")
                    continue
                }
                let plan = TrainingJobPlan.plan(
                    TrainingJobObservation(trainingJob: job, isLive: true), now: Timestamp(seconds: 0))
                #expect(plan.status != nil, "\(path) \(shape)")
            }
        }
    }
}
