import JSON

/// What people do to a model, and whether each waits until the cluster has come to rest.
public struct Story: Sendable, Hashable {
    /// One thing that a person, or somebody else's controller, does.
    public enum Act: Sendable, Hashable {
        case apply(ToyModel)
        case delete
        /// The model's object goes and another of its name comes.
        case recreate(ToyModel)
        /// Somebody deletes all children of a kind.
        case deleteChildren(String)
        case scaleDeployment(Int)
        /// Somebody points the Service elsewhere.
        case redirectService
        case requestReconcile
        /// A Service of the model's name that is somebody else's.
        case foreignService
        case removeForeignService
        /// Only so many Jobs may be in the namespace.
        case limitJobs(Int)
        case deleteNamespace
    }

    public var name: String
    public var acts: [Act]
    /// Each act waits for rest; else they come whenever they come, and only the end of it all is known.
    public var isPatient = true
    /// What people do decides how many objects are made, not the faults alone.
    public var countsCreations = true
    /// Users send requests all the time, through a gateway.
    public var hasTraffic = false

    /// The kinds of which people delete or change what the operator made, or the model itself.
    var touched: [String] {
        acts.compactMap { act in
            switch act {
            case .deleteChildren(let plural): plural
            case .delete, .recreate: "mlmodels"
            case .scaleDeployment: "deployments"
            case .redirectService, .foreignService, .removeForeignService: "services"
            case .apply, .requestReconcile, .limitJobs, .deleteNamespace: nil
            }
        }
    }

    public init(_ name: String, _ acts: [Act], isPatient: Bool = true, countsCreations: Bool = true) {
        self.name = name
        self.acts = acts
        self.isPatient = isPatient
        self.countsCreations = countsCreations
    }
}

/// The spec of a model whose containers' commands say how they end.
public struct ToyModel: Sendable, Hashable {
    public var training: String
    public var serving: String
    public var replicas: Int
    public var seed: Int
    public var suspend: Bool
    public var ttl: Int?
    /// The command that tries the candidate; nil for none.
    public var test: String?
    /// Without requests it sleeps after 30 s.
    public var sleeps = false
    /// How many requests a pod may have at a time.
    public var concurrency: Int?
    /// What the spec says of the gateway; nil for nothing.
    public var gateway: Bool?

    public init(
        _ training: String, serving: String = "serve", replicas: Int = 1, seed: Int = 1, suspend: Bool = false,
        ttl: Int? = nil, test: String? = nil
    ) {
        self.training = training
        self.serving = serving
        self.replicas = replicas
        self.seed = seed
        self.suspend = suspend
        self.ttl = ttl
        self.test = test
    }

    public static let namespace = "ml"
    public static let name = "wine"
    /// Where another of its name may live.
    public static let neighbour = "next-door"

    func json(in namespace: String) -> JSONValue {
        let image: JSONValue = "registry.local/toy:1"
        var job: JSONValue = [
            "seed": JSONValue(seed), "backoffLimit": 0, "activeDeadlineSeconds": 300,
            "template": [
                "spec": [
                    "restartPolicy": "Never",
                    "containers": [["name": "train", "image": image, "command": [.string(training)]]],
                ]
            ],
        ]
        if let ttl { job["ttlSecondsAfterFinished"] = JSONValue(ttl) }
        let server: JSONValue = [
            "name": "server", "image": image, "command": [.string(serving)], "ports": [["containerPort": 8080]],
        ]
        var spec: JSONValue = [
            "suspend": .bool(suspend), "training": ["template": ["spec": job]],
            "validation": [
                "thresholds": [["metric": "accuracy", "direction": "Maximize", "threshold": 0.93]]
            ],
            "serving": [
                "port": 8080, "replicas": JSONValue(replicas), "progressDeadlineSeconds": 60,
                "template": ["spec": ["containers": [server]]],
            ],
        ]
        if sleeps { spec["serving", "autoscaling"] = ["minReplicas": 0, "maxReplicas": 2, "idleAfter": "30s"] }
        if let concurrency { spec["serving", "containerConcurrency"] = JSONValue(concurrency) }
        if let gateway { spec["serving", "gateway"] = .bool(gateway) }
        if let test {
            let container: JSONValue = ["name": "test", "image": image, "command": [.string(test)]]
            spec["validation", "tests"] = [["name": "logic", "template": ["spec": ["containers": [container]]]]]
        }
        return [
            "apiVersion": "assay.dev/v1alpha1", "kind": "MLModel",
            "metadata": ["name": .string(Self.name), "namespace": .string(namespace)], "spec": spec,
        ]
    }
}

extension Story {
    public static let good = Story("good model", [.apply(ToyModel("good"))])
    public static let poor = Story("poor model", [.apply(ToyModel("poor"))])
    public static let change = Story(
        "spec change", [.apply(ToyModel("good")), .apply(ToyModel("better", seed: 2))])
    public static let deletion = Story("deletion", [.apply(ToyModel("good")), .delete])

    /// The main stories, of which every crash is explored.
    public static let main: [Story] = [good, poor, change, deletion]

    /// Every story; each Job's outcome (P16) and what people do (P15) are in one of them.
    public static let all: [Story] =
        main + [
            Story("failed training", [.apply(ToyModel("fail"))]),
            Story("metric that is no number", [.apply(ToyModel("nan"))]),
            Story("no metrics", [.apply(ToyModel("silent"))]),
            Story("broken metrics", [.apply(ToyModel("garbled"))]),
            Story("image that cannot be pulled", [.apply(ToyModel("stuck"))]),
            Story("slow training", [.apply(ToyModel("slow"))]),
            Story("short-lived Job", [.apply(ToyModel("good", ttl: 0))]),
            Story("change to a poor model", [.apply(ToyModel("good")), .apply(ToyModel("poor", seed: 2))]),
            Story("change to a failing one", [.apply(ToyModel("good")), .apply(ToyModel("fail", seed: 2))]),
            Story(
                "rollout that is never ready",
                [.apply(ToyModel("good")), .apply(ToyModel("good", serving: "hang"))]),
            Story(
                "there and back",
                [
                    .apply(ToyModel("good")), .apply(ToyModel("better", seed: 2)), .apply(ToyModel("good")),
                ]),
            Story("tested candidate", [.apply(ToyModel("good", replicas: 2, test: "accept"))]),
            Story(
                "candidate that a test rejects",
                [.apply(ToyModel("good", test: "accept")), .apply(ToyModel("better", seed: 2, test: "reject"))]),
            Story(
                "tested in haste",
                [
                    .apply(ToyModel("good", test: "accept")), .apply(ToyModel("better", seed: 2, test: "reject")),
                    .deleteChildren("networkpolicies"), .apply(ToyModel("better", seed: 3, test: "accept")),
                ], isPatient: false, countsCreations: false),
            Story("scaling", [.apply(ToyModel("good")), .apply(ToyModel("good", replicas: 3))]),
            Story(
                "suspension",
                [.apply(ToyModel("good", suspend: true)), .apply(ToyModel("good"))]),
            Story("recreation", [.apply(ToyModel("good")), .recreate(ToyModel("better"))]),
            Story("somebody scales", [.apply(ToyModel("good")), .scaleDeployment(4)]),
            Story("somebody redirects", [.apply(ToyModel("good")), .redirectService]),
            Story(
                "children deleted",
                [
                    .apply(ToyModel("good")), .deleteChildren("services"), .deleteChildren("deployments"),
                    .deleteChildren("pods"),
                ], countsCreations: false),
            Story(
                "Service deleted", [.apply(ToyModel("good")), .deleteChildren("services")], countsCreations: false),
            Story(
                "Deployment deleted", [.apply(ToyModel("good")), .deleteChildren("deployments")],
                countsCreations: false),
            Story(
                "quota", [.limitJobs(0), .apply(ToyModel("good")), .limitJobs(5)], isPatient: false,
                countsCreations: false),
            Story(
                "namespace deleted in haste", [.apply(ToyModel("good")), .deleteNamespace], isPatient: false,
                countsCreations: false),
            Story("namespace deleted", [.apply(ToyModel("good")), .deleteNamespace]),
            Story("name taken", [.foreignService, .apply(ToyModel("good")), .removeForeignService]),
            Story(
                "haste",
                [
                    .apply(ToyModel("good")), .apply(ToyModel("poor", seed: 2)), .apply(ToyModel("better", seed: 3)),
                    .apply(ToyModel("good", seed: 4)),
                ], isPatient: false, countsCreations: false),
            Story(
                "Jobs deleted in haste",
                [.apply(ToyModel("good")), .deleteChildren("jobs"), .requestReconcile, .deleteChildren("jobs")],
                isPatient: false, countsCreations: false),
            Story(
                "recreated in haste",
                [.apply(ToyModel("good")), .recreate(ToyModel("better")), .requestReconcile], isPatient: false,
                countsCreations: false),
            Story(
                "suspended in haste",
                [.apply(ToyModel("slow")), .apply(ToyModel("slow", suspend: true)), .apply(ToyModel("slow"))],
                isPatient: false, countsCreations: false),
        ]
}
