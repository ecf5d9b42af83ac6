import JSON

/// A rule of our CRDs in CEL, with objects that it lets pass and objects that it refuses.
///
/// All objects are merge patches of a sample that is right.
struct RuleCase: Sendable {
    enum Kind: String, Sendable, CaseIterable {
        case model = "MLModel"
        case job = "TrainingJob"
    }

    var kind: Kind
    /// The field that the mistake is told of, by the server and by the operator.
    var field: String
    /// The server's words.
    var message: String
    var passes: [JSONValue]
    var fails: [JSONValue]

    static let all: [RuleCase] = [
        .validation(
            "spec.validation",
            "give thresholds, golden or tests, or write gate: None to serve whatever was trained",
            passes: [
                ["gate": "None", "thresholds": .null], ["thresholds": .null, "golden": ["artifact": "golden"]],
                ["thresholds": .null, "tests": tests],
            ],
            fails: [["thresholds": .null], ["thresholds": []], ["thresholds": .null, "requireAttested": false]]),
        .validation(
            "spec.validation.gate", "None contradicts thresholds, golden and tests; remove one of the two",
            passes: [["gate": "None", "thresholds": []], ["gate": .null]],
            fails: [
                ["gate": "None"], ["gate": "None", "thresholds": .null, "golden": ["artifact": "golden"]],
            ]),
        .validation(
            "spec.validation.malformedInput", "needs golden: malformed requests are made of recorded ones",
            passes: [["malformedInput": "Reject", "golden": ["artifact": "golden"]]],
            fails: [["malformedInput": "Reject"]]),
        .validation(
            "spec.validation.load", "needs golden: the candidate is asked what golden records ask",
            passes: [["load": ["seconds": 1], "golden": ["artifact": "golden"]]], fails: [["load": [:]]]),
        .validation(
            "spec.validation.thresholds",
            "source: Candidate needs golden: the candidate is asked what golden records ask",
            passes: [["golden": ["artifact": "golden"], "thresholds": [candidate]]],
            fails: [["thresholds": [candidate]]]),
        .validation(
            "spec.validation.requireAttested", "requireAttested needs thresholds to have a meaning; remove it",
            passes: [["requireAttested": true], ["gate": "None", "thresholds": .null, "requireAttested": false]],
            fails: [
                ["gate": "None", "thresholds": .null, "requireAttested": true],
                ["gate": "None", "thresholds": [], "requireAttested": true],
            ]),
        RuleCase(
            kind: .model, field: "spec.validation.maxOverlap",
            message: "maxOverlap needs thresholds to have a meaning; remove it",
            passes: [holdout(["maxOverlap": 0]), holdout(["maxOverlap": 0.05])],
            fails: [
                holdout(["gate": "None", "thresholds": .null, "maxOverlap": 0]),
                holdout(["gate": "None", "thresholds": [], "maxOverlap": 1]),
            ]),
        .threshold(
            "spec.validation.thresholds[0]",
            "set threshold, minAbsoluteChange, minRelativeChange or maxGeneralizationGap",
            passes: [
                ["threshold": 0], ["minAbsoluteChange": -0.5], ["minRelativeChange": 0.5],
                ["maxGeneralizationGap": 0.05],
            ],
            fails: [[:], ["split": "holdout"]]),
        .threshold(
            "spec.validation.thresholds[0].whenNoBaseline",
            "whenNoBaseline needs minAbsoluteChange or minRelativeChange to have a meaning",
            passes: [
                ["minAbsoluteChange": 0, "whenNoBaseline": "Pass"], ["minRelativeChange": 0, "whenNoBaseline": "Fail"],
            ],
            fails: [
                ["threshold": 1, "whenNoBaseline": "Pass"], ["maxGeneralizationGap": 1, "whenNoBaseline": "Fail"],
            ]),
        .threshold(
            "spec.validation.thresholds[0].split",
            "maxGeneralizationGap compares train with holdout; leave split out",
            passes: [["maxGeneralizationGap": 1, "split": "holdout"], ["threshold": 1, "split": "train"]],
            fails: [
                ["maxGeneralizationGap": 1, "split": "train"],
                ["threshold": 1, "maxGeneralizationGap": 1, "split": "selection"],
            ]),
        .candidate(
            "spec.validation.thresholds[0].source", "a candidate has no splits; remove split and maxGeneralizationGap",
            passes: [["threshold": 1], ["minAbsoluteChange": 1]],
            fails: [["threshold": 1, "split": "train"], ["maxGeneralizationGap": 1]]),
        .candidate(
            "spec.validation.thresholds[0].metric",
            "is not measured on a candidate; there are "
                + "errorRate, latencyP50Seconds, latencyP90Seconds, latencyP99Seconds, requestsPerSecond",
            passes: [["threshold": 1, "metric": "latencyP99Seconds"]], fails: [["threshold": 1, "metric": "accuracy"]]),
    ]

    private static let candidate: JSONValue = [
        "metric": "errorRate", "direction": "Minimize", "threshold": 0, "source": "Candidate",
    ]
    private static let tests: JSONValue = [
        ["name": "a", "template": ["spec": ["containers": [["name": "main", "image": "a"]]]]]
    ]

    private static func validation(
        _ field: String, _ message: String, passes: [JSONValue], fails: [JSONValue]
    ) -> RuleCase {
        func patch(_ validation: JSONValue) -> JSONValue {
            guard validation["golden"] != nil else { return ["spec": ["validation": validation]] }
            // Of an artifact that was made elsewhere it is not known yet whether it has the records.
            let digest = "sha256:" + String(repeating: "ab12", count: 16)
            let uri: JSONValue = .string("pvc://models/wine@\(digest)")
            return [
                "spec": [
                    "training": .null, "artifact": ["uri": uri], "validation": validation,
                    "serving": ["allowUnpinned": true],
                ]
            ]
        }
        return RuleCase(
            kind: .model, field: field, message: message, passes: passes.map(patch), fails: fails.map(patch))
    }

    /// Of the only threshold, of what is measured on a candidate.
    private static func candidate(
        _ field: String, _ message: String, passes: [JSONValue], fails: [JSONValue]
    ) -> RuleCase {
        func rules(_ bounds: JSONValue) -> JSONValue {
            let start: JSONValue = ["metric": "errorRate", "direction": "Minimize", "source": "Candidate"]
            return ["golden": ["artifact": "golden"], "thresholds": [start.merging(patch: bounds)]]
        }
        return .validation(field, message, passes: passes.map(rules), fails: fails.map(rules))
    }

    /// In a model that names its holdout.
    private static func holdout(_ validation: JSONValue) -> JSONValue {
        let step: JSONValue = [
            "name": "train", "outputs": ["holdout"],
            "template": ["spec": ["containers": [["name": "main", "image": "registry.local/wine:1"]]]],
        ]
        let training: JSONValue = ["template": .null, "steps": [step], "holdout": "holdout"]
        return ["spec": ["validation": validation, "training": ["template": ["spec": training]]]]
    }

    /// Of the only threshold.
    private static func threshold(
        _ field: String, _ message: String, passes: [JSONValue], fails: [JSONValue]
    ) -> RuleCase {
        func thresholds(_ bounds: JSONValue) -> JSONValue {
            let start: JSONValue = ["metric": "accuracy", "direction": "Maximize"]
            return ["thresholds": [start.merging(patch: bounds)]]
        }
        return .validation(field, message, passes: passes.map(thresholds), fails: fails.map(thresholds))
    }
}

/// A field that stands once an object is made: what may follow what.
struct TransitionCase: Sendable {
    var field: String
    /// Merge patches of the sample, and of what the first has made of it.
    var changes: [(before: JSONValue, after: JSONValue)]

    static let message = "the spec is immutable; make a new TrainingJob"

    private static func field(_ name: String, _ first: JSONValue, _ second: JSONValue) -> TransitionCase {
        func spec(_ value: JSONValue) -> JSONValue { ["spec": [name: value]] }
        return TransitionCase(
            field: "spec.\(name)",
            changes: [
                (spec(first), spec(second)), (spec(first), spec(.null)), (spec(.null), spec(first)),
            ])
    }

    static let refused: [TransitionCase] = [
        TransitionCase(
            field: "spec.template",
            changes: [
                // The schema declares none of these but the name: what it does not know must be compared too.
                ([:], template(["containers": [["name": "train", "image": "registry.local/wine:2"]]])),
                ([:], template(["containers": [["name": "other", "image": "registry.local/wine:1"]]])),
                ([:], template(["hostNetwork": true])),
                ([:], ["spec": ["template": ["metadata": ["labels": ["team": "red"]]]]]),
            ]),
        TransitionCase(
            field: "spec.parameters",
            changes: [
                (["spec": ["parameters": ["depth": "4"]]], ["spec": ["parameters": ["depth": "5"]]]),
                (["spec": ["parameters": ["depth": "4"]]], ["spec": ["parameters": ["trees": "5"]]]),
                (["spec": ["parameters": ["depth": "4"]]], ["spec": ["parameters": .null]]),
                ([:], ["spec": ["parameters": ["depth": "4"]]]),
            ]),
        .field("seed", 42, 43),
        TransitionCase(
            field: "spec.steps",
            changes: [
                (workflow(steps), ["spec": ["steps": otherSteps]])
            ]),
        TransitionCase(
            field: "spec.artifactStore",
            changes: [
                (workflow(steps, store), ["spec": ["artifactStore": ["uri": "pvc://others"]]]),
                (workflow(steps, store), ["spec": ["artifactStore": .null]]),
                (workflow(steps), ["spec": ["artifactStore": store]]),
            ]),
        TransitionCase(
            field: "spec.artifact",
            changes: [
                (artifact("ab12"), artifact("cd34")), (artifact("ab12"), ["spec": ["artifact": ["name": "other"]]]),
            ]),
        .field("backoffLimit", 1, 0),
        .field("activeDeadlineSeconds", 60, 61),
        .field(
            "podFailurePolicy",
            ["rules": [["action": "Ignore", "onExitCodes": ["operator": "In", "values": [1]]]]],
            ["rules": [["action": "Ignore", "onExitCodes": ["operator": "In", "values": [2]]]]]),
    ]

    /// What may change, and a change of nothing.
    static let allowed: [(before: JSONValue, after: JSONValue)] = [
        ([:], ["spec": ["suspend": true]]),
        (["spec": ["suspend": true]], ["spec": ["suspend": .null]]),
        ([:], ["spec": ["ttlSecondsAfterFinished": 60]]),
        (["spec": ["ttlSecondsAfterFinished": 60]], ["spec": ["ttlSecondsAfterFinished": .null]]),
        ([:], ["metadata": ["labels": ["team": "red"]]]),
        (["spec": ["seed": 42]], ["spec": ["seed": 42]]),
    ]

    private static let store: JSONValue = ["uri": "pvc://models"]
    private static let steps: JSONValue = [
        [
            "name": "train",
            "template": ["spec": ["containers": [["name": "main", "image": "registry.local/wine:1"]]]],
        ]
    ]

    private static let otherSteps: JSONValue = [
        [
            "name": "train",
            "template": ["spec": ["containers": [["name": "main", "image": "registry.local/wine:2"]]]],
        ]
    ]

    private static func artifact(_ digits: String) -> JSONValue {
        let digest = "sha256:" + String(repeating: digits, count: 16)
        return [
            "spec": ["template": .null, "parameters": .null, "seed": .null, "artifact": ["digest": .string(digest)]]
        ]
    }

    private static func workflow(_ steps: JSONValue, _ store: JSONValue = .null) -> JSONValue {
        ["spec": ["template": .null, "steps": steps, "artifactStore": store]]
    }

    private static func template(_ spec: JSONValue) -> JSONValue { ["spec": ["template": ["spec": spec]]] }
}
