import JSON
import Testing

@testable import AssayCore

/// The pod that a step's Job makes.
@Suite struct StepPodTests {
    private func pod(_ name: String, _ change: (inout JSONValue) -> Void = { _ in }) throws -> JSONValue {
        let object = try Sample.workflow(change)
        let job = try TrainingJob(json: object)
        let spec = try #require(job.spec.value)
        let step = try #require(spec.steps.first { $0.name == name })
        let inputs = step.inputs.map { SealedArtifact(name: $0, digest: World.digest, size: 1) }
        let rendered = job.renderedJob(
            name: "wine-1", spec: spec, step: step, inputs: inputs, key: "step-0", image: "assay:1")
        return rendered["spec"] ?? [:]
    }

    private static func changeSteps(_ object: inout JSONValue, _ change: (inout JSONValue) -> Void) {
        object["spec", "steps"] = .array(
            (object["spec", "steps"]?.array ?? []).map {
                var step = $0
                change(&step)
                return step
            })
    }

    private func names(_ job: JSONValue, _ list: String) -> [String] {
        (job["template", "spec", list]?.array ?? []).compactMap { $0["name"]?.string }
    }

    private func container(_ job: JSONValue, _ name: String) throws -> JSONValue {
        let all = ["initContainers", "containers"].flatMap { job["template", "spec", $0]?.array ?? [] }
        return try #require(all.first { $0["name"]?.string == name })
    }

    private func variables(_ container: JSONValue) -> [String: String] {
        Dictionary(
            (container["env"]?.array ?? []).map { ($0["name"]?.string ?? "", $0["value"]?.string ?? "") },
            uniquingKeysWith: { first, _ in first })
    }

    @Test func aStepWithOutputsIsSealedAfterItsContainer() throws {
        let job = try pod("train")
        #expect(names(job, "initContainers") == ["assay-fetch", "main"])
        #expect(names(job, "containers") == ["assay-seal"])
        #expect(
            job["template", "metadata", "annotations", "kubectl.kubernetes.io/default-container"]?.string == "main")
        let main = variables(try container(job, "main"))
        #expect(main["ASSAY_INPUT_FEATURES"] == "/assay/inputs/features")
        #expect(main["ASSAY_OUTPUT_MODEL"] == "/assay/outputs/model")
        #expect(main["ASSAY_PARAM_LEARNINGRATE"] == "0.1")
        #expect(main["ASSAY_PARAMETERS_FILE"] == "/assay/inputs/parameters.json")
        #expect(main["ASSAY_SEED"] == "42")
        let fetch = try container(job, "assay-fetch")["command"]?.array?.compactMap(\.string)
        #expect(
            fetch == [
                "assay", "artifact", "fetch", "--inputs-directory", "/assay/inputs", "--store",
                "file:///assay/store/wine", "--input", "features=\(World.digest)", "--parameters",
                #"{"learningRate":"0.1"}"#, "--outputs-directory", "/assay/outputs", "--output", "model",
            ])
        let seal = try container(job, "assay-seal")["command"]?.array?.compactMap(\.string)
        #expect(
            seal == [
                "assay", "artifact", "seal", "--store", "file:///assay/store/wine", "--patience", "3600",
                "--outputs-directory", "/assay/outputs", "--output", "model", "--metrics-file",
                "/assay/outputs/metrics.json", "--run", "wine-0e4879fe", "--key", "step-0", "--scratch-directory",
                "/assay/inputs",
            ])
        #expect(main["ASSAY_METRICS_FILE"] == "/assay/outputs/metrics.json")
    }

    @Test func aStepWithoutOutputsKeepsItsContainers() throws {
        let job = try pod("evaluate") { object in
            Self.changeSteps(&object) {
                guard $0["outputs"] == nil else { return }
                $0["template", "spec", "containers"] = [
                    ["name": "main", "image": "x"], ["name": "beside", "image": "x"],
                ]
            }
        }
        #expect(names(job, "initContainers") == ["assay-fetch"])
        #expect(names(job, "containers").first == "main")
        #expect(variables(try container(job, "main"))["ASSAY_PARAM_LEARNINGRATE"] == nil)
        #expect(!names(job, "volumes").contains("assay-outputs"))
    }

    /// Who seals must be able to read what the step has written, and may not be more than it.
    @Test func ourContainersRunAsTheStepDoes() throws {
        let job = try pod("train") { object in
            let context: JSONValue = [
                "runAsUser": 1000, "runAsGroup": 2000, "allowPrivilegeEscalation": true,
                "capabilities": ["add": ["NET_ADMIN"]],
            ]
            Self.changeSteps(&object) {
                $0["template", "spec", "containers"] = [
                    ["name": "main", "image": "x", "securityContext": context]
                ]
            }
        }
        let context = try container(job, "assay-seal")["securityContext"]
        #expect(context?["runAsUser"] == 1000)
        #expect(context?["runAsGroup"] == 2000)
        #expect(context?["runAsNonRoot"] == nil)
        #expect(context?["allowPrivilegeEscalation"] == false)
        #expect(context?["capabilities"] == ["drop": ["ALL"]])
        #expect(context?["readOnlyRootFilesystem"] == true)
    }

    /// What satisfies a level without ours does so with them.
    @Test(arguments: [PodSecurityLevel.baseline, .restricted]) func oursSatisfyEveryLevel(_ level: PodSecurityLevel)
        throws
    {
        let job = try pod("train") { object in
            Self.changeSteps(&object) {
                $0["template", "spec", "securityContext"] = [
                    "runAsNonRoot": true, "runAsUser": 1000, "seccompProfile": ["type": "RuntimeDefault"],
                ]
                $0["template", "spec", "containers"] = [
                    [
                        "name": "main", "image": "x",
                        "securityContext": ["allowPrivilegeEscalation": false, "capabilities": ["drop": ["ALL"]]],
                    ]
                ]
            }
        }
        let policy = PodPolicy(operatorLevel: level)
        #expect(PodCheck.problems(in: job["template"] ?? .null, at: "x", policy: policy).map(\.description) == [])
    }

    @Test func storesThatArePlacesElsewhere() throws {
        let job = try pod("train") { object in
            object["spec", "artifactStore"] = [
                "uri": "oci://registry.local/wine", "secretRef": ["name": "registry"], "sealTimeout": "90s",
            ]
        }
        #expect(names(job, "volumes") == ["assay-inputs", "assay-outputs", "assay-credentials"])
        let seal = try container(job, "assay-seal")
        let command = seal["command"]?.array?.compactMap(\.string) ?? []
        #expect(command.contains("oci://registry.local/wine"))
        #expect(command.contains("/assay/credentials"))
        #expect(command.contains("90"))
        #expect(command.contains("--refuse-node-addresses"))
        // The user's container gets no way to the store.
        let mounts = try container(job, "main")["volumeMounts"]?.array ?? []
        #expect(mounts.compactMap { $0["name"]?.string } == ["assay-inputs", "assay-outputs"])
    }

    @Test func whatCannotGoBetterEndsTheJobBesideTheUsersRules() throws {
        let job = try pod("train") { object in
            object["spec", "podFailurePolicy"] = ["rules": [["action": "Ignore"]]]
        }
        let rules = job["podFailurePolicy", "rules"]?.array ?? []
        #expect(rules.map { $0["action"]?.string } == ["FailJob", "FailJob", "Ignore"])
        #expect(rules.compactMap { $0["onExitCodes", "containerName"]?.string } == ["assay-fetch", "assay-seal"])
        #expect(rules[0]["onExitCodes", "values"] == [3])
    }
}
