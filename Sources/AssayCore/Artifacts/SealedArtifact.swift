import JSON
import OpenSSL

/// An artifact that a step has made, by the digest under which the store keeps it.
public struct SealedArtifact: Sendable, Hashable {
    public var name: String
    /// `sha256:…`
    public var digest: String
    /// In bytes, of its layers.
    public var size: Int64

    public init(name: String, digest: String, size: Int64) {
        self.name = name
        self.digest = digest
        self.size = size
    }

    public init(json cursor: JSONCursor) throws(JSONShapeError) {
        name = try cursor["name"].string()
        digest = try cursor["digest"].string()
        size = try cursor["size"].integer()
    }

    public var json: JSONValue {
        ["name": .string(name), "digest": .string(digest), "size": .integer(size)]
    }
}

/// What the container that seals a step's outputs leaves as its termination message: `{"outputs": [{"name", "digest",
/// "size"}]}`.
public struct SealReport: Sendable, Hashable {
    public var outputs: [SealedArtifact]

    public init(outputs: [SealedArtifact]) { self.outputs = outputs }

    public var json: JSONValue { ["outputs": JSONValue(outputs.map(\.json))] }

    /// Nil for anything but the report of exactly these outputs, in this order.
    init?(message: String, of expected: [String]) {
        do {
            let cursor = JSONCursor(try JSONValue(parsing: message))
            outputs = try cursor["outputs"].map { element throws(JSONShapeError) in try SealedArtifact(json: element) }
        } catch {
            return nil
        }
        guard outputs.map(\.name) == expected, outputs.allSatisfy({ Digest($0.digest) != nil && $0.size >= 0 }) else {
            return nil
        }
    }
}
