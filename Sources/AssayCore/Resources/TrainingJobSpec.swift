import JSON

public struct TrainingJobSpec: Sendable, Hashable {
    public var parameters: [String: String]
    public var seed: Int64?
    /// What the data is a version of that steps get by themselves: a step without inputs that has run with another version runs anew.
    public var dataVersion: String?
    /// The one pod of the short form; a workflow has `steps` in its place.
    public var template: PodTemplate?
    /// In any order: what runs first follows from who reads what.
    public var steps: [TrainingStep]
    /// What steps read that is in the store already.
    public var given: [GivenInput]
    /// In place of both: nothing is trained, what is there is read and taken.
    public var artifact: GivenArtifact?
    public var artifactStore: ArtifactStoreSpec?
    /// The artifact that is the unseen data: by it metrics are attested, and nothing that is served comes of it.
    public var holdout: String?
    public var backoffLimit: Int?
    public var activeDeadlineSeconds: Int64?
    /// As in batch/v1.
    public var podFailurePolicy: JSONValue?
    public var ttlSecondsAfterFinished: Int?
    public var suspend: Bool?
    /// A LocalQueue of Kueue's, which then decides when the Jobs run.
    public var queueName: String?
    /// A WorkloadPriorityClass of Kueue's.
    public var workloadPriorityClass: String?

    public init(
        parameters: [String: String] = [:], seed: Int64? = nil, template: PodTemplate? = nil,
        steps: [TrainingStep] = [], given: [GivenInput] = [], artifact: GivenArtifact? = nil,
        artifactStore: ArtifactStoreSpec? = nil,
        holdout: String? = nil, backoffLimit: Int? = nil,
        activeDeadlineSeconds: Int64? = nil, podFailurePolicy: JSONValue? = nil, ttlSecondsAfterFinished: Int? = nil,
        suspend: Bool? = nil, queueName: String? = nil, workloadPriorityClass: String? = nil
    ) {
        self.parameters = parameters
        self.seed = seed
        self.template = template
        self.steps = steps
        self.given = given
        self.artifact = artifact
        self.artifactStore = artifactStore
        self.holdout = holdout
        self.backoffLimit = backoffLimit
        self.activeDeadlineSeconds = activeDeadlineSeconds
        self.podFailurePolicy = podFailurePolicy
        self.ttlSecondsAfterFinished = ttlSecondsAfterFinished
        self.suspend = suspend
        self.queueName = queueName
        self.workloadPriorityClass = workloadPriorityClass
    }

    public init(json cursor: JSONCursor) throws(JSONShapeError) {
        parameters = try cursor["parameters"].stringMap()
        seed = try cursor["seed"].optionalInteger()
        dataVersion = try cursor["dataVersion"].optionalString()
        template = cursor["template"].exists ? try PodTemplate(json: cursor["template"]) : nil
        steps = try cursor["steps"].map { element throws(JSONShapeError) in try TrainingStep(json: element) }
        given = try cursor["given"].map { element throws(JSONShapeError) in try GivenInput(json: element) }
        artifact = cursor["artifact"].exists ? try GivenArtifact(json: cursor["artifact"]) : nil
        artifactStore =
            cursor["artifactStore"].exists ? try ArtifactStoreSpec(json: cursor["artifactStore"]) : nil
        holdout = try cursor["holdout"].optionalString()
        backoffLimit = try cursor["backoffLimit"].optionalInt()
        activeDeadlineSeconds = try cursor["activeDeadlineSeconds"].optionalInteger()
        podFailurePolicy = try cursor["podFailurePolicy"].optionalObject().map(JSONValue.object)
        ttlSecondsAfterFinished = try cursor["ttlSecondsAfterFinished"].optionalInt()
        suspend = try cursor["suspend"].optionalBool()
        queueName = try cursor["queueName"].optionalString()
        workloadPriorityClass = try cursor["workloadPriorityClass"].optionalString()
    }

    public var json: JSONValue {
        var result = immutableJSON
        if let ttlSecondsAfterFinished { result["ttlSecondsAfterFinished"] = JSONValue(ttlSecondsAfterFinished) }
        if let suspend { result["suspend"] = .bool(suspend) }
        // Where a training waits for its turn makes no other training of it.
        result["queueName"] = JSONValue(queueName)
        result["workloadPriorityClass"] = JSONValue(workloadPriorityClass)
        return result
    }

    /// What may not change after creation.
    var immutableJSON: JSONValue {
        var result: JSONValue = [:]
        result["template"] = template?.json
        if !steps.isEmpty { result["steps"] = JSONValue(steps.map(\.json)) }
        if !given.isEmpty { result["given"] = JSONValue(given.map(\.json)) }
        result["artifact"] = artifact?.json
        result["artifactStore"] = artifactStore?.json
        result["holdout"] = JSONValue(holdout)
        if !parameters.isEmpty { result["parameters"] = JSONValue(parameters) }
        if let seed { result["seed"] = .integer(seed) }
        result["dataVersion"] = JSONValue(dataVersion)
        if let backoffLimit { result["backoffLimit"] = JSONValue(backoffLimit) }
        if let activeDeadlineSeconds { result["activeDeadlineSeconds"] = .integer(activeDeadlineSeconds) }
        result["podFailurePolicy"] = podFailurePolicy
        return result
    }

    /// What makes another training of it. Of the fields that later versions add, only those that are set may join in,
    /// so that an upgrade changes no hash.
    public var hash: String { SpecHash.text(immutableJSON) }

    /// The steps, of which the short form is one without a name, that is told every parameter.
    var allSteps: [TrainingStep] {
        if artifact != nil { return [TrainingStep(name: "", template: ImportPod.template)] }
        guard let template else { return steps }
        return [TrainingStep(name: "", parameters: parameters.keys.sorted(), template: template)]
    }

    public var isWorkflow: Bool { template == nil && artifact == nil }

    /// Its pods are ours, or have ours in them, and open a store.
    public var usesStore: Bool { template == nil }

    /// Where a step's template stands.
    func templatePath(of index: Int, at path: String = "spec") -> String {
        isWorkflow ? "\(path).steps[\(index)].template" : "\(path).template"
    }

    /// Whether a step has the holdout among its inputs; nil where there is none.
    func readsHoldout(_ step: String) -> Bool? {
        holdout.map { holdout in steps.first { $0.name == step }?.inputs.contains(holdout) ?? false }
    }

    /// The artifacts that the holdout has a part in, as far as steps read: those of which it is an ancestor, and itself.
    var tainted: Set<String> {
        guard let holdout else { return [] }
        var result: Set = [holdout]
        while true {
            let more = lineage.filter { !result.isDisjoint(with: $0.inputs) }.flatMap(\.outputs)
            guard !result.isSuperset(of: more) else { return result }
            result.formUnion(more)
        }
    }

    /// The templates of all pods that somebody has written.
    public var templates: [PodTemplate] { artifact == nil ? allSteps.map(\.template) : [] }
}

/// Hashes of specs as they stand in status, with the version of the way they are taken.
enum SpecHash {
    static let version = "1"

    static func text(_ json: JSONValue) -> String { "\(version):" + ContentHash(of: json).prefix(32) }
}
