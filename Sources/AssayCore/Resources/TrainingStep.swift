import JSON

/// One step of a workflow: a pod that reads artifacts and makes others.
public struct TrainingStep: Sendable, Hashable {
    /// Empty for the one step of the short form.
    public var name: String
    /// The artifacts that it reads, which other steps make.
    public var inputs: [String]
    /// The artifacts that it makes.
    public var outputs: [String]
    /// The names of the parameters that it is told; no others are.
    public var parameters: [String]
    public var reuse: Reuse?
    /// How many pods it runs in at once, which find each other; nil for one that needs no other.
    public var nodes: Int?
    /// The PersistentVolumeClaim on which it has a directory that its attempts share.
    public var checkpointClaim: String?
    /// What its outputs have to be like to be kept.
    public var expectations: [DataExpectation]
    public var template: PodTemplate

    /// Whether a result that is there already is taken for what the step would make again.
    public enum Reuse: String, Sendable, Hashable, CaseIterable {
        /// Where everything that goes into the step is the same.
        case ifUnchanged = "IfUnchanged"
        /// For what reads more than its inputs: a database, a service, the time.
        case never = "Never"
    }

    public init(
        name: String, inputs: [String] = [], outputs: [String] = [], parameters: [String] = [],
        reuse: Reuse? = nil, nodes: Int? = nil, checkpointClaim: String? = nil,
        expectations: [DataExpectation] = [], template: PodTemplate
    ) {
        self.name = name
        self.inputs = inputs
        self.outputs = outputs
        self.parameters = parameters
        self.reuse = reuse
        self.nodes = nodes
        self.checkpointClaim = checkpointClaim
        self.expectations = expectations
        self.template = template
    }

    public init(json cursor: JSONCursor) throws(JSONShapeError) {
        name = try cursor["name"].string()
        inputs = try cursor["inputs"].map { element throws(JSONShapeError) in try element.string() }
        outputs = try cursor["outputs"].map { element throws(JSONShapeError) in try element.string() }
        parameters = try cursor["parameters"].map { element throws(JSONShapeError) in try element.string() }
        reuse = try cursor["reuse"].optionalEnum()
        nodes = try cursor["nodes"].optionalInt()
        checkpointClaim = cursor["checkpoint"].exists ? try cursor["checkpoint"]["claim"].string() : nil
        expectations = try cursor["expectations"].map { element throws(JSONShapeError) in
            try DataExpectation(json: element)
        }
        template = try PodTemplate(json: cursor["template"])
    }

    public var json: JSONValue {
        var result: JSONValue = ["name": .string(name), "template": template.json]
        if !inputs.isEmpty { result["inputs"] = JSONValue(inputs) }
        if !outputs.isEmpty { result["outputs"] = JSONValue(outputs) }
        if !parameters.isEmpty { result["parameters"] = JSONValue(parameters) }
        result["reuse"] = JSONValue(reuse?.rawValue)
        if let nodes { result["nodes"] = JSONValue(nodes) }
        if let checkpointClaim { result["checkpoint"] = ["claim": .string(checkpointClaim)] }
        if !expectations.isEmpty { result["expectations"] = JSONValue(expectations.map(\.json)) }
        return result
    }
}
