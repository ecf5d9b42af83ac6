import JSON
import KubernetesModel

/// What plans read of the PersistentVolumeClaim that an artifact store is on.
public enum ClaimObservation: Sendable, Hashable {
    /// The store is on none, or it was not looked at.
    case none
    case missing(String)
    /// Pods of every node may mount it at once.
    case ofManyNodes
    /// Pods of one node at a time may mount it: ReadWriteOnce, ReadWriteOncePod.
    case ofOneNode

    public init(json: JSONValue) throws(JSONShapeError) {
        let modes = try JSONCursor(json)["spec"]["accessModes"].map { element throws(JSONShapeError) in
            try element.string()
        }
        self = modes.contains("ReadWriteMany") ? .ofManyNodes : .ofOneNode
    }
}
