import JSON

/// What `assay artifact resolve` is asked: the digests of images, and which of a workflow's steps the store has results of.
public struct LookupRequest: Sendable, Hashable {
    public struct Step: Sendable, Hashable {
        public var name: String
        /// See ``StepKey``.
        public var recipe: String
        /// By container: a digest, or an image of the request whose digest is to be found.
        public var images: [String: String]
        /// By name: a digest, or nothing where another step of the request makes it.
        public var inputs: [String: String]
        public var outputs: [String]
        /// What another training had from the same, if its outputs are still there.
        public var candidate: StepRecord?
    }

    /// Those that are named by no digest.
    public var images: [String]
    public var steps: [Step]
    /// The keys of the workflow's other steps; nil where one has none, and the whole is not known by any.
    public var others: [String]?

    public init(json cursor: JSONCursor) throws(JSONShapeError) {
        images = try cursor["images"].map { element throws(JSONShapeError) in try element.string() }
        steps = try cursor["steps"].map { element throws(JSONShapeError) in try Step(json: element) }
        others =
            cursor["others"].exists
            ? try cursor["others"].map { element throws(JSONShapeError) in try element.string() } : nil
    }

    public var json: JSONValue {
        var result: JSONValue = ["images": JSONValue(images), "steps": JSONValue(steps.map(\.json))]
        result["others"] = others.map { JSONValue($0) }
        return result
    }

    init(images: [String], steps: [Step], others: [String]? = nil) {
        self.images = images
        self.steps = steps
        self.others = others
    }
}

/// A look as far as it has come: it goes through the steps, each after those that make what it reads.
public struct Lookup: Sendable {
    /// What was found so far.
    public private(set) var report: LookupReport

    private let digests: [String: String]
    private var left: [LookupRequest.Step]
    private var made: [String: String] = [:]
    /// The keys of the workflow's steps as far as their results are there; nil where one is not to be had.
    private var keys: [String]?

    /// - Parameters:
    ///   - digests: of the images; one that is not in it could not be had.
    ///   - problem: why one is missing.
    public init(_ request: LookupRequest, digests: [String: String], problem: String? = nil) {
        self.digests = digests
        left = request.steps
        keys = request.others
        report = LookupReport(images: digests)
        report.problem = problem.map { Text.limited($0, to: 150) }
    }

    /// The step to look for next, by its key; nil at the end.
    public mutating func next() -> (key: String, step: LookupRequest.Step)? {
        while true {
            let makers = Set(left.flatMap(\.outputs))
            guard let index = left.firstIndex(where: { $0.isReady(made, unless: makers) }) else { return nil }
            let step = left.remove(at: index)
            if let key = step.key(digests, made) { return (key, step) }
            keys = nil
        }
    }

    /// At the end, where all steps' results are there: the tag under which the store may have what was said of the whole.
    public var runKey: String? { left.isEmpty && !report.isPartial ? keys.map { RunKey.key(steps: $0) } : nil }

    /// Takes that in, if there is room to tell it.
    public mutating func found(_ judgement: SealedJudgement) {
        var longer = report
        longer.judgement = judgement.brief
        if longer.json.serializedBytes().count <= LookupReport.longest { report = longer }
    }

    /// There is no result of a step.
    public mutating func missed() { keys = nil }

    /// Takes in what was found of a step, if there is room to tell it.
    public mutating func found(_ record: StepRecord, of step: LookupRequest.Step, key: String) {
        keys?.append(key)
        var longer = report
        longer.steps[step.name] = record
        guard longer.json.serializedBytes().count <= LookupReport.longest else {
            report.isPartial = true
            left = []
            return
        }
        report = longer
        for output in record.outputs { made[output.name] = output.digest }
    }
}

extension LookupRequest.Step {
    init(json cursor: JSONCursor) throws(JSONShapeError) {
        name = try cursor["name"].string()
        recipe = try cursor["recipe"].string()
        images = try cursor["images"].stringMap()
        inputs = try cursor["inputs"].stringMap()
        outputs = try cursor["outputs"].map { element throws(JSONShapeError) in try element.string() }
        candidate = cursor["candidate"].exists ? try StepRecord(json: cursor["candidate"]) : nil
    }

    var json: JSONValue {
        var result: JSONValue = [
            "name": .string(name), "recipe": .string(recipe), "images": JSONValue(images),
            "inputs": JSONValue(inputs), "outputs": JSONValue(outputs),
        ]
        result["candidate"] = candidate?.json
        return result
    }

    /// Its inputs are known, or never will be.
    fileprivate func isReady(_ made: [String: String], unless makers: Set<String>) -> Bool {
        inputs.allSatisfy { name, digest in !digest.isEmpty || made[name] != nil || !makers.contains(name) }
    }

    fileprivate func key(_ digests: [String: String], _ made: [String: String]) -> String? {
        var pinned: [String: String] = [:]
        for (container, image) in images {
            guard let digest = ImageReference.digest(in: "@\(image)") ?? digests[image] else { return nil }
            pinned[container] = digest
        }
        var read: [String: String] = [:]
        for (name, digest) in inputs {
            guard let digest = digest.isEmpty ? made[name] : digest else { return nil }
            read[name] = digest
        }
        return StepKey.key(recipe: recipe, images: pinned, inputs: read)
    }
}

/// What `assay artifact resolve` leaves as its termination message.
public struct LookupReport: Sendable, Hashable {
    /// The kubelet keeps 4,096 bytes.
    static let longest = 4000

    /// The digests of those images that were to be had.
    public var images: [String: String]
    public var steps: [String: StepRecord]
    /// There was no room for more; what is missing may be there.
    public var isPartial = false
    /// Why the digest of an image is missing.
    public var problem: String?
    /// Of all of it.
    public var judgement: SealedJudgement?

    /// With as many of the images as there is room for beside a step.
    init(images: [String: String]) {
        self.images = [:]
        steps = [:]
        var size = 0
        for (name, digest) in images.sorted(by: { $0.key < $1.key }) {
            size += name.utf8.count + digest.utf8.count + 6
            guard size <= Self.longest - StepRecord.longest - 200 else {
                isPartial = true
                return
            }
            self.images[name] = digest
        }
    }

    init?(message: String) {
        do {
            let cursor = JSONCursor(try JSONValue(parsing: message))
            images = try cursor["images"].stringMap()
            isPartial = try cursor["partial"].optionalBool() ?? false
            problem = try cursor["problem"].optionalString()
            judgement = cursor["judgement"].exists ? try SealedJudgement(json: cursor["judgement"]) : nil
            steps = [:]
            for (name, value) in try cursor["steps"].optionalObject() ?? [:] {
                steps[name] = try StepRecord(json: JSONCursor(value))
            }
        } catch {
            return nil
        }
        if judgement?.isBounded == false { judgement = nil }
    }

    public var json: JSONValue {
        var result: JSONValue = ["images": JSONValue(images)]
        var found: JSONValue = [:]
        for (name, record) in steps { found[name] = record.json }
        result["steps"] = found
        if isPartial { result["partial"] = true }
        result["problem"] = JSONValue(problem)
        result["judgement"] = judgement?.json
        return result
    }
}
