import JSON
import KubernetesModel

extension APIServer {
    mutating func create(_ request: ResourceRequest, _ context: RequestContext) throws(APIFailure) -> APIResponse {
        if let review = try review(request, context) { return review }
        if request.type.group.isEmpty, request.type.plural == "bindings" { return try bindByName(request, context) }
        guard request.name == nil else { throw .methodNotAllowed }
        let json = try body(request, context)
        let (entry, warnings) = try insert(json, request, context)
        return try answer(entry, request, context, status: 201, warnings: warnings)
    }

    /// Creates an object, whichever verb asked for it.
    mutating func insert(
        _ given: JSONValue, _ request: ResourceRequest, _ context: RequestContext,
        recordsManager: Bool = true
    ) throws(APIFailure) -> (StoredEntry, [String]) {
        var json = given
        try place(&json, request)
        if let version = json["metadata", "resourceVersion"]?.string, !version.isEmpty, version != "0" {
            throw APIFailure(500, "", "resourceVersion should not be set on objects to be created")
        }
        let generates = (json["metadata", "name"]?.string ?? "").isEmpty
        if generates { try generateName(&json, request) }
        let warnings = try normalize(&json, request, context)
        try admitNamespace(request, name: json["metadata", "name"]?.string ?? "")
        fillSystemFields(&json, context)
        try prepareForCreate(&json, request.resource)
        let name = json["metadata", "name"]?.string ?? ""
        let errors = validate(json, old: nil, request.resource)
        if !errors.isEmpty { throw .invalid(request.type, name, errors) }
        try admitOwners(json, old: nil, request, context)
        try admitQuota(json, request)
        guard entry(request.resource, namespace: request.namespace, name: name) == nil else {
            throw .alreadyExists(request.type, name)
        }
        if recordsManager { json = managed(nil, json, request, context) }
        let entry = store(json, request.resource, previous: nil)
        didCreate(entry, request.resource)
        return (self.entry(request.resource, namespace: request.namespace, name: name) ?? entry, warnings)
    }

    private mutating func generateName(_ json: inout JSONValue, _ request: ResourceRequest) throws(APIFailure) {
        guard let base = json["metadata", "generateName"]?.string, !base.isEmpty else {
            throw .invalid(request.type, "", [.required("metadata.name", "name or generateName is required")])
        }
        // A full name has at most 63 characters, of which the suffix takes five.
        let prefix = String(base.prefix(58))
        for _ in 0..<8 {
            let name = prefix + generator.suffix()
            json["metadata", "name"] = .string(name)
            if entry(request.resource, namespace: request.namespace, name: name) == nil { return }
        }
    }

    private mutating func fillSystemFields(_ json: inout JSONValue, _ context: RequestContext) {
        var metadata = json["metadata"] ?? [:]
        for field in ["deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "resourceVersion", "generation"] {
            metadata[field] = nil
        }
        metadata["uid"] = .string(generator.uid())
        metadata["creationTimestamp"] = .string(context.now.truncatedToSeconds.description)
        json["metadata"] = metadata
    }

    /// Objects are created only in a namespace that exists and stays.
    private func admitNamespace(_ request: ResourceRequest, name: String) throws(APIFailure) {
        guard request.type.isNamespaced, let namespace = request.namespace else { return }
        guard let entry = entry(.namespaces, name: namespace) else { throw .notFound(.namespaces, namespace) }
        guard entry.isBeingDeleted else { return }
        var failure = APIFailure.forbidden(
            request.type, name,
            "unable to create new content in namespace \(namespace) because it is being terminated")
        failure.causes = [
            .init(
                reason: "NamespaceTerminating", message: "namespace \(namespace) is being terminated",
                field: "metadata.namespace")
        ]
        throw failure
    }
}
