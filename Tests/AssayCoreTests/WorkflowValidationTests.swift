import JSON
import Testing

@testable import AssayCore

/// What the steps of a workflow may not be, each with the path of its field.
@Suite struct WorkflowValidationTests {
    private func problems(_ change: (inout JSONValue) -> Void) throws -> [String] {
        try TrainingJob(json: try Sample.workflow(change)).problems.map(\.description)
    }

    private func problems(steps: [JSONValue]) throws -> [String] {
        try problems { $0["spec", "steps"] = .array(steps) }
    }

    @Test func theSampleIsWell() throws { #expect(try problems { _ in } == []) }

    @Test func graphsThatCannotBe() throws {
        let table: [([JSONValue], String)] = [
            (
                [Sample.step("a", inputs: ["y"], outputs: ["x"]), Sample.step("b", inputs: ["x"], outputs: ["y"])],
                "spec.steps[0].inputs: the steps wait for each other: a reads of b reads of a"
            ),
            (
                [
                    Sample.step("start", outputs: ["s"]), Sample.step("c", inputs: ["z"]),
                    Sample.step("a", inputs: ["s", "y"], outputs: ["x"]),
                    Sample.step("b", inputs: ["x"], outputs: ["y", "z"]),
                ], "spec.steps[3].inputs: the steps wait for each other: b reads of a reads of b"
            ),
            (
                [Sample.step("a", inputs: ["x"])],
                "spec.steps[0].inputs[0]: no step has the output x, and it is not given"
            ),
            (
                [Sample.step("a", inputs: ["x"], outputs: ["x"])],
                "spec.steps[0].inputs[0]: x is what this step makes; it cannot read it"
            ),
            (
                [Sample.step("a", outputs: ["x"]), Sample.step("b", outputs: ["y", "x"])],
                "spec.steps[1].outputs[1]: x is already an output of the step a"
            ),
            ([Sample.step("a", outputs: ["x", "x"])], "spec.steps[0].outputs[1]: x is there twice"),
            (
                [Sample.step("a", outputs: ["x"]), Sample.step("b", inputs: ["x", "x"])],
                "spec.steps[1].inputs[1]: x is there twice"
            ),
            (
                [Sample.step("a"), Sample.step("a")],
                "spec.steps[1].name: a is there twice; every step has a name of its own"
            ),
            (
                [Sample.step("A_b")],
                "spec.steps[0].name: must be 1 to 63 of a-z, 0-9 and -, and begin and end with a letter or digit"
            ),
            (
                [Sample.step("a", parameters: ["depth"])],
                "spec.steps[0].parameters[0]: spec.parameters has no depth"
            ),
        ]
        for (steps, expected) in table { #expect(try problems(steps: steps) == [expected]) }
    }

    @Test(arguments: ["1x", "X", "", "a_b", "-a", "a-"]) func namesOfArtifacts(_ name: String) throws {
        let problem = try #require(try problems(steps: [Sample.step("a", outputs: [name])]).first)
        #expect(problem.hasPrefix("spec.steps[0].outputs[0]: \"\(name)\" is no name of an artifact"))
    }

    @Test func stores() throws {
        let table: [(String?, String?)] = [
            ("pvc://models", nil), ("pvc://models/", nil), ("pvc://models/wine/v1.2_x", nil),
            ("oci://registry.local:5000/team/wine", nil),
            ("s3://models", nil), ("s3://models/team/wine", nil), ("s3://X/y", "is no name of a bucket"),
            ("s3://models/../x", "without . or .. as a part of it"), ("s3://models/a:b", "the prefix must be of"),
            (nil, nil),
            ("pvc://", "\"\" is no name of a PersistentVolumeClaim"),
            ("pvc://models/../other", "without . or .. as a part of it"),
            ("pvc://models//x", "without . or .. as a part of it"),
            ("pvc://models/a b", "without . or .. as a part of it"),
            ("oci://registry.local", "names no repository"), ("oci:///wine", "names no repository"),
            ("oci://registry.local/wine:1", "without a tag or a digest"),
            ("file:///srv/models", "a directory of a node is no store for pods"),
            ("models", "is no store that is known here"), ("gs://x/y", "is no store that is known here"),
        ]
        for (uri, words) in table {
            let found = try problems { object in
                object["spec", "artifactStore"] = uri.map { ["uri": .string($0)] }
            }
            if let words {
                #expect(found.count == 1, "\(uri ?? "none"): \(found)")
                #expect(found.first?.contains(words) == true, "\(uri ?? "none"): \(found)")
            } else {
                #expect(found == [], "\(uri ?? "none")")
            }
        }
    }

    @Test func durations() {
        let table: [(String, Double?)] = [
            ("1h", 3600), ("90s", 90), ("1h30m", 5400), ("1.5h", 5400), ("250ms", 0.25), ("2m0.5s", 120.5), ("", nil),
            ("1", nil), ("h", nil), ("-1h", nil), ("1d", nil), ("1h ", nil), (".s", nil), ("0x1s", nil), ("infs", nil),
        ]
        for (text, seconds) in table { #expect(DurationText.seconds(text) == seconds, "\(text)") }
    }

    @Test(arguments: ["0s", "soon", "200h"]) func sealTimeouts(_ text: String) throws {
        let found = try problems { $0["spec", "artifactStore", "sealTimeout"] = .string(text) }
        #expect(
            found == ["spec.artifactStore.sealTimeout: \"\(text)\" must be a duration of 1s to 168h, as 90s or 1h30m"])
    }

    @Test func eitherATemplateOrSteps() throws {
        let template: JSONValue = ["spec": ["containers": [["name": "train", "image": "x"]]]]
        let found = try problems { $0["spec", "template"] = template }
        #expect(found == ["spec: give one of template, steps and artifact"])
        let neither = try problems {
            $0["spec", "steps"] = nil
            $0["spec", "artifactStore"] = nil
        }
        #expect(neither == ["spec: give one of template, steps and artifact"])
    }

    @Test func whatTheContainerOfAStepWithOutputsMayNotHave() throws {
        for field in ["livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "ports"] {
            var step = Sample.step("a", outputs: ["x"])
            var container: JSONValue = ["name": "main", "image": "x"]
            container[field] = field == "ports" ? [["containerPort": 1]] : ["exec": ["command": ["x"]]]
            step["template", "spec", "containers"] = [container]
            let found = try problems(steps: [step])
            #expect(found.count == 1 && found[0].hasPrefix("spec.steps[0].template.spec.containers[0].\(field): "))
            step["outputs"] = nil
            #expect(try problems(steps: [step]) == [])
        }
    }

    @Test func namesAndPlacesThatAreOurs() throws {
        var step = Sample.step("a", outputs: ["x"])
        step["template", "spec"] = [
            "volumes": [["name": "assay-store", "emptyDir": [:]]],
            "initContainers": [["name": "assay-fetch", "image": "x"]],
            "containers": [
                [
                    "name": "main", "image": "x",
                    "volumeMounts": [
                        ["name": "v", "mountPath": "/assays"], ["name": "v", "mountPath": "/assay/inputs"],
                    ],
                ], ["name": "second", "image": "x"],
            ],
        ]
        let found = try problems(steps: [step])
        let fields = found.compactMap { $0.split(separator: ": ").first.map(String.init) }
        let place = "spec.steps[0].template.spec"
        #expect(
            Set(fields) == [
                "\(place).volumes[0].name", "\(place).initContainers[0].name",
                "\(place).containers[0].volumeMounts[1].mountPath", "\(place).containers",
            ])
    }
}
