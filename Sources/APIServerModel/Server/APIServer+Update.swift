import JSON
import KubernetesModel

extension APIServer {
    mutating func update(_ request: ResourceRequest, _ context: RequestContext) throws(APIFailure) -> APIResponse {
        let json = try body(request, context)
        let name = json["metadata", "name"]?.string ?? ""
        guard name == request.name else {
            throw .badRequest(
                "the name of the object (\(name)) does not match the name on the URL (\(request.name ?? ""))")
        }
        guard let old = entry(request.resource, namespace: request.namespace, name: name) else {
            guard request.resource.allowsCreateOnUpdate, request.subresource == nil else {
                throw .notFound(request.type, name)
            }
            try authorizeCreation(request, context)
            var fresh = json
            fresh["metadata", "resourceVersion"] = nil
            let (entry, warnings) = try insert(fresh, request, context)
            return try answer(entry, request, context, status: 201, warnings: warnings)
        }
        let (entry, warnings) = try replace(old, with: json, request, context)
        return try answer(entry, request, context, warnings: warnings)
    }

    /// Replaces an object, whichever verb asked for it; `request.subresource` says which part may change.
    ///
    /// - Parameter managedFields: of server-side apply, which has worked them out itself.
    mutating func replace(
        _ old: StoredEntry, with given: JSONValue, _ request: ResourceRequest, _ context: RequestContext,
        managedFields: JSONValue? = nil
    ) throws(APIFailure) -> (StoredEntry, [String]) {
        var json = given
        try place(&json, request)
        try checkPreconditions(json, old, request)
        let warnings = try normalize(&json, request, context)
        let before = request.resource.presented(old.json)
        restoreSystemFields(&json, before)
        if request.subresource == "status" {
            json = statusUpdate(before, json, request.resource)
        } else {
            prepareForUpdate(&json, before, request.resource)
        }
        let errors = validate(json, old: before, request.resource)
        if !errors.isEmpty { throw .invalid(request.type, old.name, errors) }
        try admitOwners(json, old: before, request, context)
        if let managedFields {
            json["metadata", "managedFields"] = managedFields
        } else {
            json = managed(before, json, request, context)
        }
        return (commit(json, over: old, request.resource), warnings)
    }

    /// Stores a changed object unless nothing changed, and removes it when its last finalizer has gone.
    mutating func commit(_ json: JSONValue, over old: StoredEntry, _ resource: ServedResource) -> StoredEntry {
        if Self.isSame(resource.stored(json), old.json) { return old }
        if isReadyToGo(json, resource) { return remove(old, resource) }
        let entry = store(json, resource, previous: old)
        didUpdate(entry, old, resource)
        return entry
    }

    /// A write that changes at most the times in `managedFields` is none.
    static func isSame(_ left: JSONValue, _ right: JSONValue) -> Bool {
        // Most writes are about one of these, and then nothing has to be copied.
        guard left["status"] == right["status"], left["spec"] == right["spec"] else { return false }
        func comparable(_ json: JSONValue) -> JSONValue {
            var json = json
            json["metadata", "resourceVersion"] = nil
            if let managers = json["metadata", "managedFields"]?.array {
                json["metadata", "managedFields"] = .array(
                    managers.map { manager in
                        var manager = manager
                        manager["time"] = nil
                        return manager
                    })
            }
            return json
        }
        return comparable(left) == comparable(right)
    }

    /// Whether an object that is being deleted has nothing left to wait for. A pod that is deleted gracefully, and a
    /// namespace with content, outlast their finalizers.
    private func isReadyToGo(_ json: JSONValue, _ resource: ServedResource) -> Bool {
        guard json["metadata", "deletionTimestamp"] != nil else { return false }
        guard (json["metadata", "finalizers"]?.array ?? []).isEmpty else { return false }
        if resource.type == .namespaces { return (json["spec", "finalizers"]?.array ?? []).isEmpty }
        return (json["metadata", "deletionGracePeriodSeconds"]?.int ?? 0) == 0
    }

    private func checkPreconditions(
        _ json: JSONValue, _ old: StoredEntry, _ request: ResourceRequest
    ) throws(APIFailure) {
        let uid = json["metadata", "uid"]?.string ?? ""
        guard uid.isEmpty || uid == old.uid else {
            throw .conflict(
                request.type, old.name,
                "Precondition failed: UID in precondition: \(uid), UID in object meta: \(old.uid)")
        }
        let version = json["metadata", "resourceVersion"]?.string ?? ""
        if version.isEmpty || version == "0" {
            guard request.resource.allowsUnconditionalUpdate else {
                throw .invalid(
                    request.type, old.name,
                    [
                        FieldError(
                            kind: .invalid, path: "metadata.resourceVersion",
                            message: "Invalid value: 0x0: must be specified for an update")
                    ])
            }
            return
        }
        guard let number = UInt64(version) else {
            throw .invalid(
                request.type, old.name,
                [.invalid("metadata.resourceVersion", .string(version), "must be an unsigned integer")])
        }
        guard number == old.revision else { throw .modified(request.type, old.name) }
    }

    /// What only the server writes is taken from the stored object.
    private func restoreSystemFields(_ json: inout JSONValue, _ old: JSONValue) {
        var metadata = json["metadata"] ?? [:]
        for field in [
            "uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "generateName",
            "resourceVersion",
        ] {
            metadata[field] = old["metadata", field]
        }
        metadata["selfLink"] = nil
        json["metadata"] = metadata
    }

    /// A write to `/status` changes the status; of built-in kinds also labels, annotations and finalizers.
    private func statusUpdate(_ old: JSONValue, _ new: JSONValue, _ resource: ServedResource) -> JSONValue {
        var json = old
        json["status"] = new["status"]
        if !resource.isCustom {
            // Of a Deployment not even the labels.
            let fields = ["annotations", "finalizers"] + (resource.type == .deployments ? [] : ["labels"])
            for field in fields {
                json["metadata", field] = new["metadata", field]
            }
        }
        json["metadata", "managedFields"] = new["metadata", "managedFields"]
        return json
    }
}
