import JSON
import KubernetesModel

/// What a ``Store`` keeps of an object: a projection with only the fields that its reader needs.
public protocol CachedObject: Sendable {
    var metadata: ObjectMeta { get }

    /// The members that ``init(json:)`` reads; the others are not even built when a list is read. Nil for all. It has to
    /// hold ``ObjectMeta/fields``.
    static var fields: JSONFields? { get }

    /// Reads what is kept. An object that throws is set aside and never stops the others.
    init(json: JSONValue) throws(JSONShapeError)
}

extension CachedObject {
    /// All of them.
    public static var fields: JSONFields? { nil }
}

/// A projection of one kind.
public protocol StoredObject: CachedObject {
    /// The kind that the API serves it as.
    static var resourceType: ResourceType { get }
}

/// An object of any kind, whole.
public struct DynamicObject: CachedObject, Hashable {
    /// Read from the document.
    public let metadata: ObjectMeta
    /// The whole document.
    public let json: JSONValue

    /// Throws where the metadata cannot be read.
    public init(json: JSONValue) throws(JSONShapeError) {
        metadata = try ObjectMeta(json: JSONCursor(json)["metadata"])
        self.json = json
    }
}
