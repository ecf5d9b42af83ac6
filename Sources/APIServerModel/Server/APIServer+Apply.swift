import JSON
import KubernetesModel

extension APIServer {
    /// Server-side apply: creates the object when it is not there.
    mutating func apply(_ request: ResourceRequest, _ context: RequestContext) throws(APIFailure) -> APIResponse {
        guard let manager = context.target.value("fieldManager") else {
            let type = ResourceType(group: "meta.k8s.io", version: "v1", plural: "", kind: "PatchOptions")
            throw .invalid(type, "", [.required("fieldManager", "is required for apply patch")])
        }
        // What is applied must say what it is, also of a built-in kind.
        var config = try document(context)
        try checkKind(config, request.type)
        try checkApplied(&config, request)
        let old = entry(request.resource, namespace: request.namespace, name: request.name ?? "")
        if old == nil, request.subresource != nil { throw .notFound(request.type, request.name ?? "") }
        let live = old.map { request.resource.presented($0.json) }
        let definition = request.resource.definition
        if let status = definition.decodingFailure(config) { throw APIFailure(status) }
        if old == nil, let uid = config["metadata", "uid"]?.string, !uid.isEmpty {
            throw .conflict(
                request.type, request.name ?? "",
                "uid mismatch: the provided object specified uid \(uid), and no existing object was found")
        }
        if let twice = definition.schema.validate(config).first(where: { $0.kind == .duplicate }) {
            throw APIFailure(500, "", "failed to create typed patch object: \(twice)")
        }
        let (pruned, dropped) = definition.prune(config)
        let warnings = try warnings(forUnknown: dropped, request, context)
        let result = ServerSideApply.apply(
            live: live, config: pruned,
            writer: .init(manager: manager, apiVersion: request.type.apiVersion, subresource: request.subresource),
            force: context.target.flag("force"), schema: definition.schema, now: context.now)
        let merged: JSONValue
        switch result {
        case .success(let json): merged = json
        case .failure(let status): throw APIFailure(status, request.type, request.name ?? "")
        }
        guard let old else {
            try authorizeCreation(request, context)
            let (entry, more) = try insert(merged, request, context, recordsManager: false)
            return try answer(entry, request, context, status: 201, warnings: warnings + more)
        }
        let (entry, more) = try replace(
            old, with: merged, request, context, managedFields: merged["metadata", "managedFields"])
        return try answer(entry, request, context, warnings: warnings + more)
    }

    private func checkApplied(_ config: inout JSONValue, _ request: ResourceRequest) throws(APIFailure) {
        if let fields = config["metadata", "managedFields"]?.array, !fields.isEmpty {
            throw .badRequest("metadata.managedFields must be nil")
        }
        config["metadata", "managedFields"] = nil
        let name = config["metadata", "name"]?.string ?? ""
        guard name.isEmpty || name == request.name else {
            throw .badRequest(
                "the name of the object (\(name)) does not match the name on the URL (\(request.name ?? ""))")
        }
        config["metadata", "name"] = JSONValue(request.name)
        try place(&config, request)
        reset(&config, request)
    }

    /// Takes away what a write to this path cannot set, so that nobody comes to own it (`GetResetFields`).
    private func reset(_ config: inout JSONValue, _ request: ResourceRequest) {
        guard request.resource.hasStatus else { return }
        guard request.subresource == "status" else {
            config["status"] = nil
            return
        }
        for name in config.object?.keys ?? [] where !["apiVersion", "kind", "metadata", "status"].contains(name) {
            config[name] = nil
        }
        guard request.resource.isCustom else { return }
        let metadata = config["metadata"]
        config["metadata"] = [:]
        for field in ["name", "namespace", "uid", "resourceVersion"] {
            config["metadata", field] = metadata?[field]
        }
    }

    /// `new` with the field managers that follow from a write of it.
    func managed(
        _ old: JSONValue?, _ new: JSONValue, _ request: ResourceRequest, _ context: RequestContext
    ) -> JSONValue {
        ServerSideApply.recordUpdate(
            old: old, new: new,
            writer: .init(
                manager: context.fieldManager, apiVersion: request.type.apiVersion, subresource: request.subresource),
            schema: request.resource.definition.schema, now: context.now)
    }
}
