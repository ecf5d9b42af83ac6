import KubernetesModel

/// What changed in a ``Store``. An object that was replaced by another of its name is a deletion and an addition.
public enum StoreChange<Object: CachedObject>: Sendable {
    case added(Object)
    case modified(old: Object, new: Object)
    /// The object as last known: its final change may not have been seen.
    case deleted(Object)

    /// The object as it is now, or as it last was.
    public var object: Object {
        switch self {
        case .added(let object), .modified(_, let object), .deleted(let object): object
        }
    }

    /// Which object.
    public var key: ObjectKey { object.metadata.key }

    /// Whether the object is gone.
    public var isDeletion: Bool {
        if case .deleted = self { true } else { false }
    }
}

/// An object that could not be read. The version read before, if there is one, stays in the store.
public struct Quarantine: Sendable, Hashable {
    /// Of the version that could not be read.
    public var uid: String
    /// Of the version that could not be read.
    public var resourceVersion: String
    /// What could not be read, and where in the document.
    public var reason: String
    /// The list in or after which it was found.
    var list: UInt32
}
