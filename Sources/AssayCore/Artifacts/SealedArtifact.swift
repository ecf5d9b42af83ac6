import JSON

/// An artifact that a step has made, by the digest under which the store keeps it.
public struct SealedArtifact: Sendable, Hashable {
    public var name: String
    /// `sha256:…`
    public var digest: String
    /// In bytes, of its layers; nil where nobody has told.
    public var size: Int64?

    public init(name: String, digest: String, size: Int64? = nil) {
        self.name = name
        self.digest = digest
        self.size = size
    }

    public init(json cursor: JSONCursor) throws(JSONShapeError) {
        name = try cursor["name"].string()
        digest = try cursor["digest"].string()
        size = try cursor["size"].optionalInteger()
    }

    public var json: JSONValue {
        var result: JSONValue = ["name": .string(name), "digest": .string(digest)]
        if let size { result["size"] = .integer(size) }
        return result
    }
}
