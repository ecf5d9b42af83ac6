import JSON

/// What `assay artifact overlap` is asked.
public struct OverlapRequest: Sendable, Hashable {
    public struct Artifact: Sendable, Hashable {
        public var name: String
        public var digest: String
        /// Nobody knows what it was made of: what in it cannot be compared is a doubt.
        public var isSource: Bool

        public init(name: String, digest: String, isSource: Bool = true) {
            self.name = name
            self.digest = digest
            self.isSource = isSource
        }
    }

    /// A step that is known to have read rows only where one of these artifacts has some.
    public struct Need: Sendable, Hashable {
        public var step: String
        /// Places in ``OverlapRequest/training``.
        public var artifacts: [Int]
    }

    /// Linux gives a program no argument of more than 128 KiB.
    static let longest = 120_000

    public var holdout: Artifact
    public var training: [Artifact]
    public var needs: [Need]

    /// Every artifact must have rows.
    public init(holdout: Artifact, training: [Artifact]) {
        self.holdout = holdout
        self.training = training
        needs = training.indices.map { Need(step: training[$0].name, artifacts: [$0]) }
    }

    /// Nil while one of the artifacts is not made.
    init?(_ comparison: HoldoutComparison, holdout: String, made: [SealedArtifact]) {
        let digests = Dictionary(made.map { ($0.name, $0.digest) }, uniquingKeysWith: { first, _ in first })
        guard let digest = digests[holdout] else { return nil }
        self.holdout = Artifact(name: holdout, digest: digest)
        training = []
        var places: [String: Int] = [:]
        for artifact in comparison.artifacts {
            guard let digest = digests[artifact.name] else { return nil }
            places[artifact.name] = training.count
            training.append(Artifact(name: artifact.name, digest: digest, isSource: artifact.isSource))
        }
        needs = comparison.needs.map { Need(step: $0.step, artifacts: $0.artifacts.compactMap { places[$0] }) }
    }

    public init(json cursor: JSONCursor) throws(JSONShapeError) {
        holdout = try Artifact(json: cursor["holdout"])
        training = try cursor["training"].map { element throws(JSONShapeError) in try Artifact(json: element) }
        let count = training.count
        needs = try cursor["needs"].map { element throws(JSONShapeError) in
            let places = try element["of"].map { place throws(JSONShapeError) in
                let index = try place.int()
                guard (0..<count).contains(index) else { throw place.failure("is no artifact of training") }
                return index
            }
            return Need(step: try element["step"].string(), artifacts: places)
        }
    }

    public var json: JSONValue {
        [
            "holdout": holdout.json, "training": JSONValue(training.map(\.json)),
            "needs": JSONValue(
                needs.map { ["step": .string($0.step), "of": JSONValue($0.artifacts.map { JSONValue($0) })] }),
        ]
    }
}

extension OverlapRequest.Artifact {
    init(json cursor: JSONCursor) throws(JSONShapeError) {
        name = try cursor["name"].string()
        digest = try cursor["digest"].string()
        isSource = try cursor["isSource"].bool()
    }

    var json: JSONValue { ["name": .string(name), "digest": .string(digest), "isSource": .bool(isSource)] }
}
