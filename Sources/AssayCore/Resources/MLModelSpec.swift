import JSON

public struct MLModelSpec: Sendable, Hashable {
    /// Nil where `artifact` stands in its place.
    public var givenTraining: Training?
    /// A model that was made elsewhere.
    public var artifact: GivenArtifact?
    /// How it is measured, beside what the training says of itself.
    public var evaluation: Evaluation?
    public var validation: Validation
    public var serving: Serving
    public var revisionHistoryLimit: Int?
    public var suspend: Bool?
    public var deletionPolicy: DeletionPolicy?

    /// What becomes of a model's artifacts when it is deleted.
    public enum DeletionPolicy: String, Sendable, Hashable, CaseIterable {
        case retain = "Retain"
        case delete = "Delete"
    }

    public static let defaultHistoryLimit = 10

    public init(
        training: Training? = nil, artifact: GivenArtifact? = nil, evaluation: Evaluation? = nil,
        validation: Validation, serving: Serving,
        revisionHistoryLimit: Int? = nil, suspend: Bool? = nil, deletionPolicy: DeletionPolicy? = nil
    ) {
        givenTraining = training
        self.artifact = artifact
        self.evaluation = evaluation
        self.validation = validation
        self.serving = serving
        self.revisionHistoryLimit = revisionHistoryLimit
        self.suspend = suspend
        self.deletionPolicy = deletionPolicy
    }

    public init(json cursor: JSONCursor) throws(JSONShapeError) {
        givenTraining = cursor["training"].exists ? try Training(json: cursor["training"]) : nil
        artifact = cursor["artifact"].exists ? try GivenArtifact(json: cursor["artifact"]) : nil
        evaluation = cursor["evaluation"].exists ? try Evaluation(json: cursor["evaluation"]) : nil
        validation = try Validation(json: cursor["validation"])
        serving = try Serving(json: cursor["serving"])
        revisionHistoryLimit = try cursor["revisionHistoryLimit"].optionalInt()
        suspend = try cursor["suspend"].optionalBool()
        deletionPolicy = try cursor["deletionPolicy"].optionalEnum()
    }

    public var json: JSONValue {
        var result: JSONValue = ["validation": validation.json, "serving": serving.json]
        result["training"] = givenTraining?.json
        result["artifact"] = artifact?.json
        result["evaluation"] = evaluation?.json
        if let revisionHistoryLimit { result["revisionHistoryLimit"] = JSONValue(revisionHistoryLimit) }
        if let suspend { result["suspend"] = .bool(suspend) }
        result["deletionPolicy"] = JSONValue(deletionPolicy?.rawValue)
        return result
    }

    /// The templates of all pods that somebody has written.
    public var templates: [PodTemplate] {
        training.spec.templates + (evaluation?.steps ?? []).map(\.template) + validation.tests.map(\.template)
            + [serving.template]
    }

    /// What each run is to do: to train, or to take what is there.
    public var training: Training { givenTraining ?? Training(spec: TrainingJobSpec(artifact: artifact)) }
}

extension MLModelSpec {
    /// A change of it trains.
    public struct Training: Sendable, Hashable {
        public var spec: TrainingJobSpec
        /// When it is done anew. A change of that trains nothing by itself.
        public var retraining: RetrainingSpec

        public init(spec: TrainingJobSpec, retraining: RetrainingSpec = RetrainingSpec()) {
            self.spec = spec
            self.retraining = retraining
        }

        public init(json cursor: JSONCursor) throws(JSONShapeError) {
            spec = try TrainingJobSpec(json: cursor["template"]["spec"])
            retraining = try RetrainingSpec(json: cursor)
        }

        public var json: JSONValue {
            JSONValue.object(retraining.fields).merging(patch: ["template": ["spec": spec.json]])
        }

        /// When old Jobs go, and whether one is held, makes no other model.
        public var hash: String { spec.hash }
    }

    /// A change of it judges again.
    public struct Validation: Sendable, Hashable {
        public enum Gate: String, Sendable, Hashable, CaseIterable {
            /// Every model passes, by the author's express wish.
            case none = "None"
        }

        public var thresholds: [Threshold]
        public var gate: Gate?
        /// Refuses metrics that rest on the container's word alone.
        public var requireAttested: Bool?
        /// Which part of the holdout's rows training may have read; none unless given.
        public var maxOverlap: Double?
        /// What the candidate's server must answer as it was answered at the evaluation.
        public var golden: Golden?
        public var malformedInput: MalformedInput?
        public var load: Load?
        public var tests: [CandidateTest]

        public init(
            thresholds: [Threshold] = [], gate: Gate? = nil, requireAttested: Bool? = nil, maxOverlap: Double? = nil,
            golden: Golden? = nil, malformedInput: MalformedInput? = nil, load: Load? = nil,
            tests: [CandidateTest] = []
        ) {
            self.thresholds = thresholds
            self.gate = gate
            self.requireAttested = requireAttested
            self.golden = golden
            self.malformedInput = malformedInput
            self.load = load
            self.tests = tests
            self.maxOverlap = maxOverlap
        }

        public init(json cursor: JSONCursor) throws(JSONShapeError) {
            _ = try cursor.object()
            thresholds = try cursor["thresholds"].map { element throws(JSONShapeError) in
                try Threshold(json: element)
            }
            gate = try cursor["gate"].optionalEnum()
            requireAttested = try cursor["requireAttested"].optionalBool()
            golden = cursor["golden"].exists ? try Golden(json: cursor["golden"]) : nil
            malformedInput = try cursor["malformedInput"].optionalEnum()
            load = cursor["load"].exists ? try Load(json: cursor["load"]) : nil
            tests = try cursor["tests"].map { element throws(JSONShapeError) in try CandidateTest(json: element) }
            maxOverlap = try cursor["maxOverlap"].optionalDouble()
        }

        public var json: JSONValue {
            var result: JSONValue = [:]
            if !thresholds.isEmpty { result["thresholds"] = JSONValue(thresholds.map(\.json)) }
            result["gate"] = JSONValue(gate?.rawValue)
            if let requireAttested { result["requireAttested"] = .bool(requireAttested) }
            result["golden"] = golden?.json
            result["malformedInput"] = JSONValue(malformedInput?.rawValue)
            result["load"] = load?.json
            if !tests.isEmpty { result["tests"] = JSONValue(tests.map(\.json)) }
            result["maxOverlap"] = maxOverlap.map { Int64(exactly: $0).map(JSONValue.integer) ?? .number($0) }
            return result
        }

        public var hash: String { SpecHash.text(json) }
    }

    public struct Serving: Sendable, Hashable {
        public var template: PodTemplate
        public var port: Int
        public var replicas: Int?
        public var allowUnpinned: Bool?
        public var imageFrom: [ImageFrom]
        /// The outputs of the training's steps that the server reads.
        public var artifacts: [String]
        public var progressDeadlineSeconds: Int?
        /// How many replicas of a candidate there may be beside those that serve: with 0 the revision that serves sleeps while
        /// the candidate is proven.
        public var surge: Int?

        /// Whether requests go through the gateway where there is one; they do unless this is false.
        public var gateway: Bool?
        /// How many replicas there are is the gateway's measurements' to say.
        public var autoscaling: Autoscaling?
        /// How long what served before stays warm after another took its place, as 90s; goes with the gateway.
        public var scaleDownDelay: String?
        /// How a candidate gets requests little by little; nil where it gets all of them at once.
        public var rollout: RolloutSpec?

        /// Whether a request that was sent may be sent again; only where its method is safe unless given.
        public var retry: Retry?
        /// Names under which the port that all models share knows it.
        public var hosts: [String]
        /// Who calls is asked for, and let in or not; nil where nobody is asked.
        public var auth: Auth?
        /// How many requests the gateway gives to one replica at a time, as Knative's; as many as come where it is nil or 0.
        public var containerConcurrency: Int?

        public enum Retry: String, Sendable, Hashable, CaseIterable {
            /// Any, for acting on one twice is as good as once.
            case idempotent = "Idempotent"
        }

        public enum Auth: String, Sendable, Hashable, CaseIterable {
            /// Service accounts of the model's namespace, by their tokens.
            case serviceAccount = "ServiceAccount"
        }

        public static let defaultProgressDeadline = 600
        public static let defaultScaleDownDelay = Duration.seconds(30)

        public init(
            template: PodTemplate, port: Int, replicas: Int? = nil, allowUnpinned: Bool? = nil,
            imageFrom: [ImageFrom] = [], artifacts: [String] = [], progressDeadlineSeconds: Int? = nil,
            surge: Int? = nil, gateway: Bool? = nil, autoscaling: Autoscaling? = nil, scaleDownDelay: String? = nil,
            rollout: RolloutSpec? = nil, retry: Retry? = nil, hosts: [String] = [], auth: Auth? = nil,
            containerConcurrency: Int? = nil
        ) {
            self.auth = auth
            self.containerConcurrency = containerConcurrency
            self.retry = retry
            self.hosts = hosts
            self.scaleDownDelay = scaleDownDelay
            self.rollout = rollout
            self.autoscaling = autoscaling
            self.gateway = gateway
            self.template = template
            self.port = port
            self.replicas = replicas
            self.allowUnpinned = allowUnpinned
            self.imageFrom = imageFrom
            self.artifacts = artifacts
            self.progressDeadlineSeconds = progressDeadlineSeconds
            self.surge = surge
        }

        public init(json cursor: JSONCursor) throws(JSONShapeError) {
            template = try PodTemplate(json: cursor["template"])
            port = try cursor["port"].int()
            replicas = try cursor["replicas"].optionalInt()
            allowUnpinned = try cursor["allowUnpinned"].optionalBool()
            imageFrom = try cursor["imageFrom"].map { element throws(JSONShapeError) in try ImageFrom(json: element) }
            artifacts = try cursor["artifacts"].map { element throws(JSONShapeError) in try element.string() }
            progressDeadlineSeconds = try cursor["progressDeadlineSeconds"].optionalInt()
            surge = try cursor["surge"].optionalInt()
            gateway = try cursor["gateway"].optionalBool()
            autoscaling = cursor["autoscaling"].exists ? try Autoscaling(json: cursor["autoscaling"]) : nil
            scaleDownDelay = try cursor["scaleDownDelay"].optionalString()
            retry = try cursor["retry"].optionalEnum()
            hosts = try cursor["hosts"].map { element throws(JSONShapeError) in try element.string() }
            auth = try cursor["auth"].optionalEnum()
            containerConcurrency = try cursor["containerConcurrency"].optionalInt()
            rollout = cursor["rollout"].exists ? try RolloutSpec(json: cursor["rollout"]) : nil
        }

        public var json: JSONValue {
            var result = revisionJSON
            if let replicas { result["replicas"] = JSONValue(replicas) }
            if let allowUnpinned { result["allowUnpinned"] = .bool(allowUnpinned) }
            if let progressDeadlineSeconds { result["progressDeadlineSeconds"] = JSONValue(progressDeadlineSeconds) }
            if let surge { result["surge"] = JSONValue(surge) }
            if let gateway { result["gateway"] = .bool(gateway) }
            result["autoscaling"] = autoscaling?.json
            result["scaleDownDelay"] = JSONValue(scaleDownDelay)
            result["rollout"] = rollout?.json
            result["retry"] = JSONValue(retry?.rawValue)
            if !hosts.isEmpty { result["hosts"] = JSONValue(hosts) }
            result["auth"] = JSONValue(auth?.rawValue)
            if let containerConcurrency { result["containerConcurrency"] = JSONValue(containerConcurrency) }
            return result
        }

        /// What makes another revision of it.
        private var revisionJSON: JSONValue {
            var result: JSONValue = ["template": template.json, "port": JSONValue(port)]
            if !imageFrom.isEmpty { result["imageFrom"] = JSONValue(imageFrom.map(\.json)) }
            if !artifacts.isEmpty { result["artifacts"] = JSONValue(artifacts) }
            return result
        }

        public var revisionHash: String { SpecHash.text(revisionJSON) }
        public var wantedReplicas: Int { replicas ?? 1 }
        /// How many requests one replica has at most; nil for as many as come.
        public var concurrencyLimit: Int? { containerConcurrency.flatMap { $0 > 0 ? $0 : nil } }
        /// Of a candidate that is proven. At least one, even if none is wanted: nothing is shown by no pod.
        var initialReplicas: Int { autoscaling?.initial(replicas) ?? max(1, wantedReplicas) }
        /// How many there may be at once.
        var mostReplicas: Int { autoscaling?.maxReplicas ?? wantedReplicas }
        /// How long what served before is kept. Where there is no place for both it is gone already.
        var warmTime: Duration {
            surge == 0 ? .zero : scaleDownDelay.flatMap(DurationText.duration) ?? Self.defaultScaleDownDelay
        }
        public var progressDeadline: Int { progressDeadlineSeconds ?? Self.defaultProgressDeadline }
    }
}
