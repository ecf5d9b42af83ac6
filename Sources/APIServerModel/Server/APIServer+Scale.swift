import JSON
import KubernetesModel

extension APIServer {
    /// The `autoscaling/v1` Scale of an object.
    func scale(of entry: StoredEntry, _ resource: ServedResource) throws(APIFailure) -> JSONValue {
        guard let paths = resource.definition.scale else { throw .noSuchPath }
        let replicas = entry.json[path: Self.path(paths.specReplicas)]?.integer
        var metadata: JSONValue = [:]
        for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
            metadata[field] = entry.metadata[field]
        }
        // Go leaves out a count of 0 in the spec, and writes it in the status.
        var spec: JSONValue = [:]
        if let replicas, replicas != 0 { spec["replicas"] = .integer(replicas) }
        var status: JSONValue = [
            "replicas": .integer(entry.json[path: Self.path(paths.statusReplicas)]?.integer ?? 0)
        ]
        if let path = paths.labelSelector {
            switch entry.json[path: Self.path(path)] {
            case .string(let text)?: status["selector"] = .string(text)
            case let selector?: status["selector"] = .string(Self.text(ofSelector: selector))
            case nil: break
            }
        }
        return [
            "apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": metadata, "spec": spec, "status": status,
        ]
    }

    private static func text(ofSelector json: JSONValue) -> String {
        do {
            return try LabelSelector(json: JSONCursor(json)).description
        } catch {
            return ""
        }
    }

    /// `.spec.replicas` as the names of members.
    private static func path(_ text: String) -> [String] { text.split(separator: ".").map(String.init) }

    private static let scaleType = ResourceType(
        group: "autoscaling", version: "v1", plural: "scales", kind: "Scale")

    mutating func writeScale(_ request: ResourceRequest, _ context: RequestContext) throws(APIFailure) -> APIResponse {
        guard let paths = request.resource.definition.scale else { throw .noSuchPath }
        let old = try existing(request)
        let before = try scale(of: old, request.resource)
        let new: JSONValue
        if request.verb == .patch {
            switch context.mediaType {
            case "application/merge-patch+json", "application/strategic-merge-patch+json":
                new = before.merging(patch: try document(context))
            case "application/json-patch+json": new = try JSONPatch.apply(document(context), to: before)
            case "application/apply-patch+yaml": new = before.merging(patch: try document(context))
            default: throw APIFailure(415, "UnsupportedMediaType", "the media type of the patch is not supported")
            }
        } else {
            new = try document(context)
            try checkKind(new, Self.scaleType)
        }
        let name = new["metadata", "name"]?.string ?? ""
        guard name == old.name else {
            throw .badRequest("the name of the object (\(name)) does not match the name on the URL (\(old.name))")
        }
        let uid = new["metadata", "uid"]?.string ?? ""
        guard uid.isEmpty || uid == old.uid else {
            throw .conflict(
                request.type, old.name,
                "Precondition failed: UID in precondition: \(uid), UID in object meta: \(old.uid)")
        }
        let version = new["metadata", "resourceVersion"]?.string ?? ""
        guard version.isEmpty || version == String(old.revision) else { throw .modified(request.type, old.name) }
        let replicas = new["spec", "replicas"]?.integer ?? 0
        guard replicas >= 0 else {
            throw .invalid(
                Self.scaleType, old.name,
                [.invalid("spec.replicas", .integer(replicas), "must be greater than or equal to 0")])
        }
        var json = request.resource.presented(old.json)
        json[path: Self.path(paths.specReplicas)] = .integer(replicas)
        var main = request
        main.subresource = nil
        main.verb = .update
        let (entry, _) = try replace(old, with: json, main, context)
        return Self.json(try scale(of: entry, request.resource))
    }
}
