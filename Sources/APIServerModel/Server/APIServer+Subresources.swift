import JSON
import KubernetesModel

extension APIServer {
    func readSubresource(
        _ name: String, _ request: ResourceRequest, _ context: RequestContext
    ) throws(APIFailure) -> APIResponse {
        switch name {
        case "status" where request.resource.hasStatus:
            let presenter = try Presenter(request.resource, context)
            return APIResponse(status: 200, content: .bytes(presenter.bytes(try existing(request))))
        case "scale":
            return Self.json(try scale(of: existing(request), request.resource))
        case "log" where request.type == .pods:
            return try logs(request, context)
        default: throw .noSuchPath
        }
    }

    mutating func writeSubresource(
        _ name: String, _ request: ResourceRequest, _ context: RequestContext
    ) throws(APIFailure) -> APIResponse {
        switch (name, request.verb) {
        case ("status", .update) where request.resource.hasStatus: return try update(request, context)
        case ("status", .patch) where request.resource.hasStatus: return try patch(request, context)
        case ("scale", .update), ("scale", .patch): return try writeScale(request, context)
        case ("binding", .create) where request.type == .pods: return try bind(request, context)
        case ("eviction", .create) where request.type == .pods: return try evict(request, context)
        case ("finalize", .update) where request.type == .namespaces: return try finalize(request, context)
        case ("token", .create) where request.type == .serviceAccounts: return try issueToken(request, context)
        case ("status", _), ("scale", _), ("binding", _), ("eviction", _), ("finalize", _), ("token", _):
            throw .methodNotAllowed
        default: throw .noSuchPath
        }
    }

    private func logs(_ request: ResourceRequest, _ context: RequestContext) throws(APIFailure) -> APIResponse {
        let pod = try existing(request)
        let target = context.target
        let names = (["initContainers", "containers"] as [String]).flatMap { field in
            (pod.json["spec", field]?.array ?? []).compactMap { $0["name"]?.string }
        }
        var container = target.value("container")
        if let container, !names.contains(container) {
            throw .badRequest("container \(container) is not valid for pod \(pod.name)")
        }
        if container == nil {
            let main = (pod.json["spec", "containers"]?.array ?? []).compactMap { $0["name"]?.string }
            let preferred = pod.json["metadata", "annotations", "kubectl.kubernetes.io/default-container"]?.string
            guard main.count == 1 || preferred != nil else {
                throw .badRequest(
                    "a container name must be specified for pod \(pod.name), choose one of: "
                        + "[\(names.joined(separator: " "))]")
            }
            container = preferred ?? main.first
        }
        guard let node = pod.json["spec", "nodeName"]?.string, !node.isEmpty else {
            // A pod without a node has said nothing yet.
            return APIResponse(status: 200, contentType: "text/plain", content: .bytes([]))
        }
        var log = PodLogRequest(
            namespace: pod.namespace ?? "", name: pod.name, uid: pod.uid, nodeName: node, container: container)
        log.follow = target.flag("follow")
        log.previous = target.flag("previous")
        log.timestamps = target.flag("timestamps")
        log.tailLines = try context.integer("tailLines")
        log.limitBytes = try context.integer("limitBytes")
        log.sinceSeconds = try context.integer("sinceSeconds")
        log.sinceTime = target.value("sinceTime")
        return APIResponse(status: 200, contentType: "text/plain", content: .podLogs(log))
    }

    /// The older form of a binding, which names its pod itself.
    mutating func bindByName(_ request: ResourceRequest, _ context: RequestContext) throws(APIFailure) -> APIResponse {
        guard let pods = registry[type: .pods] else { throw .noSuchPath }
        var binding = request
        binding.resource = pods
        binding.name = try document(context)["metadata", "name"]?.string
        binding.subresource = "binding"
        return try bind(binding, context)
    }

    /// Puts a pod on a node.
    private mutating func bind(
        _ request: ResourceRequest, _ context: RequestContext
    ) throws(APIFailure) -> APIResponse {
        let binding = try document(context)
        guard let node = binding["target", "name"]?.string, !node.isEmpty else {
            throw .invalid(
                ResourceType(group: "", version: "v1", plural: "bindings", kind: "Binding"), request.name ?? "",
                [.required("target.name")])
        }
        let old = try existing(request)
        if let uid = binding["metadata", "uid"]?.string, !uid.isEmpty, uid != old.uid {
            throw .conflict(
                request.type, old.name,
                "Precondition failed: UID in precondition: \(uid), UID in object meta: \(old.uid)")
        }
        if old.isBeingDeleted {
            throw .conflict(request.type, old.name, "pod \(old.name) is being deleted, cannot be assigned to a host")
        }
        if let current = old.json["spec", "nodeName"]?.string, !current.isEmpty {
            throw .conflict(request.type, old.name, "pod \(old.name) is already assigned to node \"\(current)\"")
        }
        var json = old.json
        json["spec", "nodeName"] = .string(node)
        var conditions = (json["status", "conditions"]?.array ?? []).filter { $0["type"]?.string != "PodScheduled" }
        conditions.append([
            "type": "PodScheduled", "status": "True",
            "lastTransitionTime": .string(context.now.truncatedToSeconds.description),
        ])
        json["status", "conditions"] = .array(conditions)
        store(json, request.resource, previous: old)
        return Self.json(
            ["apiVersion": "v1", "kind": "Status", "metadata": [:], "status": "Success", "code": 201], status: 201)
    }

    private mutating func evict(
        _ request: ResourceRequest, _ context: RequestContext
    ) throws(APIFailure) -> APIResponse {
        let eviction = try document(context)
        let old = try existing(request)
        var options = DeletionOptions()
        options.gracePeriodSeconds = eviction["deleteOptions", "gracePeriodSeconds"]?.int
        options.uid = eviction["deleteOptions", "preconditions", "uid"]?.string
        try delete(old, request.resource, options)
        return Self.json(
            ["apiVersion": "v1", "kind": "Status", "metadata": [:], "status": "Success", "code": 201], status: 201)
    }

    /// Lets a namespace go, or holds it.
    private mutating func finalize(
        _ request: ResourceRequest, _ context: RequestContext
    ) throws(APIFailure) -> APIResponse {
        let given = try body(request, context)
        let old = try existing(request)
        var json = old.json
        json["spec", "finalizers"] = given["spec", "finalizers"]
        return try answer(commit(json, over: old, request.resource), request, context)
    }
}
