import JSON
import KubernetesModel

/// `metav1.DeleteOptions`, from the body or the query.
struct DeletionOptions: Sendable {
    enum Propagation: String, Sendable {
        case orphan = "Orphan"
        case background = "Background"
        case foreground = "Foreground"
    }

    var uid: String?
    var resourceVersion: String?
    var propagation: Propagation?
    var gracePeriodSeconds: Int?

    init() {}

    init(_ context: RequestContext) throws(APIFailure) {
        var json: JSONValue = [:]
        if !context.request.body.isEmpty {
            do {
                json = try JSONValue(parsing: context.request.body)
            } catch {
                throw .badRequest("the DeleteOptions are not JSON: \(error)")
            }
        }
        uid = json["preconditions", "uid"]?.string
        resourceVersion = json["preconditions", "resourceVersion"]?.string
        let grace = try context.integer("gracePeriodSeconds")
        gracePeriodSeconds = json["gracePeriodSeconds"]?.int ?? grace
        if let grace = gracePeriodSeconds, grace < 0 { gracePeriodSeconds = 1 }
        let type = ResourceType(group: "meta.k8s.io", version: "v1", plural: "", kind: "DeleteOptions")
        if let policy = json["propagationPolicy"], json["orphanDependents"]?.bool != nil {
            throw .invalid(
                type, "",
                [
                    .invalid(
                        "propagationPolicy", policy, "orphanDependents and deletionPropagation cannot be both set")
                ])
        }
        if let text = json["propagationPolicy"]?.string ?? context.target.value("propagationPolicy") {
            guard let policy = Propagation(rawValue: text) else {
                let error = FieldError.notSupported(
                    "propagationPolicy", .string(text), ["Foreground", "Background", "Orphan", "nil"])
                throw .invalid(type, "", [error])
            }
            propagation = policy
        } else if let orphan = json["orphanDependents"]?.bool {
            propagation = orphan ? .orphan : .background
        }
    }
}

extension APIServer {
    static let orphanFinalizer = "orphan"
    static let foregroundFinalizer = "foregroundDeletion"

    mutating func delete(_ request: ResourceRequest, _ context: RequestContext) throws(APIFailure) -> APIResponse {
        let options = try DeletionOptions(context)
        let old = try existing(request)
        let (entry, isGone) = try delete(old, request.resource, options)
        if isGone, !request.resource.returnsDeletedObject {
            var details: JSONValue = ["name": .string(old.name), "kind": .string(request.type.plural)]
            if !request.type.group.isEmpty { details["group"] = .string(request.type.group) }
            details["uid"] = .string(old.uid)
            return Self.json([
                "apiVersion": "v1", "kind": "Status", "metadata": [:], "status": "Success", "details": details,
            ])
        }
        return try answer(entry, request, context)
    }

    mutating func deleteCollection(
        _ request: ResourceRequest, _ context: RequestContext
    ) throws(APIFailure) -> APIResponse {
        guard request.namespace != nil || !request.type.isNamespaced else { throw .methodNotAllowed }
        let options = try DeletionOptions(context)
        let presenter = try Presenter(request.resource, context)
        let page = try ListPage(request, context)
        var deleted: [StoredEntry] = []
        for entry in storages[request.resource.storageKey]?.entries(namespace: request.namespace) ?? []
        where page.selects(entry, request.resource) {
            deleted.append(try delete(entry, request.resource, options).entry)
        }
        let metadata: JSONValue = ["resourceVersion": .string(String(resourceVersion))]
        return APIResponse(status: 200, content: .bytes(presenter.list(deleted, metadata: metadata)))
    }

    /// Deletes an object, or begins to when something must happen first.
    @discardableResult
    mutating func delete(
        _ old: StoredEntry, _ resource: ServedResource, _ options: DeletionOptions
    ) throws(APIFailure) -> (entry: StoredEntry, isGone: Bool) {
        // Here Kubernetes names the kind where it names the resource everywhere else.
        var byKind = resource.type
        byKind.plural = byKind.kind
        if let uid = options.uid, uid != old.uid {
            throw .conflict(
                byKind, old.name,
                "the UID in the precondition (\(uid)) does not match the UID in record (\(old.uid)). The object might "
                    + "have been deleted and then recreated")
        }
        if let version = options.resourceVersion, version != String(old.revision) {
            throw .conflict(
                byKind, old.name,
                "the ResourceVersion in the precondition (\(version)) does not match the ResourceVersion in record "
                    + "(\(old.revision)). The object might have been modified")
        }
        if resource.type == .namespaces { return (try terminateNamespace(old, resource), false) }
        var json = old.json
        let finalizers = finalizers(old, resource, options)
        json["metadata", "finalizers"] = finalizers.isEmpty ? nil : JSONValue(finalizers)
        let grace = gracePeriod(old, resource, options)
        if finalizers.isEmpty, grace == 0 { return (remove(old, resource), true) }
        markDeleted(&json, old, grace: grace)
        if Self.isSame(json, old.json) { return (old, false) }
        let entry = store(json, resource, previous: old)
        didUpdate(entry, old, resource)
        return (entry, false)
    }

    private func markDeleted(_ json: inout JSONValue, _ old: StoredEntry, grace: Int) {
        if old.isBeingDeleted {
            // A second deletion can only shorten the wait.
            let before = old.metadata["deletionGracePeriodSeconds"]?.int ?? 0
            if grace >= before { return }
        } else if let generation = old.metadata["generation"]?.integer, generation > 0 {
            json["metadata", "generation"] = .integer(generation + 1)
        }
        let moment = now.truncatedToSeconds + .seconds(grace)
        json["metadata", "deletionTimestamp"] = .string(moment.description)
        json["metadata", "deletionGracePeriodSeconds"] = JSONValue(grace)
    }

    /// The finalizers that an object has once it is being deleted in this way.
    private func finalizers(_ old: StoredEntry, _ resource: ServedResource, _ options: DeletionOptions) -> [String] {
        var finalizers = old.finalizers.filter { $0 != Self.orphanFinalizer && $0 != Self.foregroundFinalizer }
        let had = Set(old.finalizers)
        let orphans: Bool
        let isForeground: Bool
        if let propagation = options.propagation {
            orphans = propagation == .orphan
            isForeground = propagation == .foreground
        } else {
            isForeground = had.contains(Self.foregroundFinalizer)
            orphans = had.contains(Self.orphanFinalizer) || (resource.orphansByDefault && !isForeground)
        }
        if orphans { finalizers.append(Self.orphanFinalizer) }
        if isForeground { finalizers.append(Self.foregroundFinalizer) }
        if resource.type == .customResourceDefinitions, !old.isBeingDeleted {
            finalizers.append(Self.definitionFinalizer)
        }
        return finalizers
    }

    /// Seconds that the pod's node is given; a pod without a node or that has ended needs none.
    private func gracePeriod(_ old: StoredEntry, _ resource: ServedResource, _ options: DeletionOptions) -> Int {
        guard resource.type == .pods else { return 0 }
        if (old.json["spec", "nodeName"]?.string ?? "").isEmpty { return 0 }
        if ["Failed", "Succeeded"].contains(old.json["status", "phase"]?.string ?? "") { return 0 }
        let seconds =
            options.gracePeriodSeconds ?? old.metadata["deletionGracePeriodSeconds"]?.int
            ?? old.json["spec", "terminationGracePeriodSeconds"]?.int ?? 30
        // A century, so that no number from outside leaves the calendar.
        return min(max(seconds, 0), 3_155_760_000)
    }
}
