import JSON
import KubernetesModel

/// Artifacts of runs that the model has forgotten, on their way out of a store.
public struct StoreRemoval: Sendable, Hashable {
    /// More are left to `assay artifact gc`.
    static let mostArtifacts = 256

    public struct Artifact: Sendable, Hashable {
        /// `sha256:…`
        public var digest: String
        /// When all that the run itself did with it was over. Whoever has kept or found it since is somebody else, who
        /// needs it.
        public var keptBefore: Timestamp

        public init(digest: String, keptBefore: Timestamp) {
            self.digest = digest
            self.keptBefore = keptBefore
        }
    }

    public var store: ArtifactStoreSpec
    public var artifacts: [Artifact]
    /// The Job that removes them, from before it is made.
    public var job: String?
    /// Why they were not removed when it was tried last.
    public var message: String?
    /// How often it was tried in vain, and when last.
    public var attempts = 0
    public var triedAt: Timestamp?

    public init(store: ArtifactStoreSpec, artifacts: [Artifact] = []) {
        self.store = store
        self.artifacts = artifacts
    }

    public init(json cursor: JSONCursor) throws(JSONShapeError) {
        store = try ArtifactStoreSpec(json: cursor["store"])
        artifacts = try cursor["artifacts"].map { element throws(JSONShapeError) in
            Artifact(
                digest: try element["digest"].string(),
                keptBefore: try element["keptBefore"].optionalTimestamp() ?? Timestamp(seconds: 0))
        }
        job = try cursor["job"].optionalString()
        message = try cursor["message"].optionalString()
        attempts = try cursor["attempts"].optionalInt() ?? 0
        triedAt = try cursor["triedAt"].optionalTimestamp()
    }

    public var json: JSONValue {
        var result: JSONValue = [
            "store": store.json,
            "artifacts": JSONValue(
                artifacts.map {
                    ["digest": .string($0.digest), "keptBefore": .string($0.keptBefore.description)] as JSONValue
                }),
        ]
        result["job"] = JSONValue(job)
        result["message"] = JSONValue(message)
        if attempts > 0 { result["attempts"] = JSONValue(attempts) }
        result["triedAt"] = JSONValue(triedAt?.description)
        return result
    }

    /// What is named twice may go by the later time.
    mutating func add(_ digest: String, keptBefore: Timestamp) {
        if let index = artifacts.firstIndex(where: { $0.digest == digest }) {
            artifacts[index].keptBefore = max(artifacts[index].keptBefore, keptBefore)
        } else if artifacts.count < Self.mostArtifacts {
            artifacts.append(Artifact(digest: digest, keptBefore: keptBefore))
        }
    }
}

extension [StoreRemoval] {
    mutating func add(_ digests: [String], keptBefore: Timestamp, of store: ArtifactStoreSpec) {
        guard !digests.isEmpty else { return }
        // One whose Job is under way is left as it is.
        let index =
            firstIndex { $0.store == store && $0.job == nil }
            ?? {
                append(StoreRemoval(store: store))
                return count - 1
            }()
        for digest in digests { self[index].add(digest, keptBefore: keptBefore) }
    }
}
