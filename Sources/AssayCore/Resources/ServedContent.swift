import JSON

/// The artifacts of a revision: which, from where, and by what they are fetched. It stands in status, so that neither another
/// version of the operator nor another address of the store restarts a pod that serves.
public struct ServedContent: Sendable, Hashable {
    public var artifacts: [SealedArtifact]
    public var store: ArtifactStoreSpec
    /// The operator's image of the time when the revision was made.
    public var image: String

    public init(artifacts: [SealedArtifact], store: ArtifactStoreSpec, image: String) {
        self.artifacts = artifacts
        self.store = store
        self.image = image
    }

    public init(json cursor: JSONCursor) throws(JSONShapeError) {
        artifacts = try cursor["artifacts"].map { element throws(JSONShapeError) in try SealedArtifact(json: element) }
        store = try ArtifactStoreSpec(json: cursor["store"])
        image = try cursor["image"].string()
    }

    public var json: JSONValue {
        ["artifacts": JSONValue(artifacts.map(\.json)), "store": store.json, "image": .string(image)]
    }
}
