import JSON
import KubernetesModel

/// Writes the `meta.k8s.io/v1` Table that `kubectl get` asks the server for.
public struct TablePrinter: Sendable {
    /// What each row carries of its object (`includeObject` of the request).
    public enum IncludedObject: String, Sendable, Hashable {
        case none = "None"
        case metadata = "Metadata"
        case object = "Object"
    }

    public var definition: ResourceDefinition

    public init(_ definition: ResourceDefinition) { self.definition = definition }
}
