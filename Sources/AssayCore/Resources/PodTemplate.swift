import JSON

/// A PodTemplateSpec as its author wrote it. Any field that the cluster's pods know passes through.
public struct PodTemplate: Sendable, Hashable {
    public var json: JSONValue

    public init(json: JSONValue) { self.json = json }

    public init(json cursor: JSONCursor) throws(JSONShapeError) { json = .object(try cursor.object()) }

    public var spec: JSONValue? { json["spec"] }
    public var containers: [JSONValue] { spec?["containers"]?.array ?? [] }
    public var initContainers: [JSONValue] { spec?["initContainers"]?.array ?? [] }

    /// The container that speaks for the pod: the one `kubectl logs` shows, which is the first unless annotated.
    public var mainContainer: String? {
        let names = containers.compactMap { $0["name"]?.string }
        if let named = json["metadata", "annotations", Label.defaultContainer]?.string, names.contains(named) {
            return named
        }
        return names.first
    }

    var main: JSONValue? { containers.first { $0["name"]?.string == mainContainer } }

    /// The image of that container, as the template names it.
    var mainImage: String? { main?["image"]?.string }
}
