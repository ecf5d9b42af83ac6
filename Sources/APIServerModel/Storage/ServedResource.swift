import JSON
import KubernetesModel

/// Under which group and plural objects are kept: all versions of a resource share it.
struct StorageKey: Sendable, Hashable {
    var group: String
    var plural: String
}

/// A resource as it stands in a URL.
struct ServedKey: Sendable, Hashable {
    var group: String
    var version: String
    var plural: String
}

/// A resource in one version, with all that the request path must know of it.
struct ServedResource: Sendable {
    var definition: ResourceDefinition
    var storageKey: StorageKey

    init(_ definition: ResourceDefinition) {
        self.definition = definition
        let type = definition.type
        // Events are one resource under two groups.
        storageKey = StorageKey(group: type == .events ? "" : type.group, plural: type.plural)
    }

    var type: ResourceType { definition.type }
    var isCustom: Bool { !definition.isBuiltIn }
    var hasStatus: Bool { definition.hasStatus }

    static var builtIn: [ServedResource] { BuiltinKinds.all.map(ServedResource.init) }

    var key: ServedKey { ServedKey(group: type.group, version: type.version, plural: type.plural) }

    /// The fields besides name and namespace that a field selector may name (`pkg/apis/*/*/conversion.go`).
    var selectableFields: Set<String> {
        switch (type.group, type.plural) {
        case ("", "pods"):
            [
                "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName",
                "spec.hostNetwork", "status.phase", "status.podIP", "status.nominatedNodeName",
            ]
        case ("", "events"):
            [
                "involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
                "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath", "reason",
                "reportingComponent", "source", "type",
            ]
        case ("events.k8s.io", "events"):
            [
                "regarding.kind", "regarding.namespace", "regarding.name", "regarding.uid", "regarding.apiVersion",
                "regarding.resourceVersion", "regarding.fieldPath", "reason", "reportingController", "type",
            ]
        case ("", "nodes"): ["spec.unschedulable"]
        case ("", "namespaces"): ["status.phase", "name"]
        case ("", "secrets"): ["type"]
        case ("batch", "jobs"): ["status.successful"]
        default: []
        }
    }

    /// Whether a PUT without a resource version overwrites whatever is there.
    var allowsUnconditionalUpdate: Bool {
        if isCustom { return false }
        switch type.group {
        case "coordination.k8s.io", "apiextensions.k8s.io": return false
        default: return true
        }
    }

    /// Whether a PUT to a name that is not there creates it.
    var allowsCreateOnUpdate: Bool {
        switch (type.group, type.plural) {
        case ("", "events"), ("", "endpoints"), ("events.k8s.io", "events"), ("coordination.k8s.io", "leases"): true
        case ("rbac.authorization.k8s.io", _): true
        default: false
        }
    }

    /// Whether a successful DELETE answers with the object and not with a Status.
    var returnsDeletedObject: Bool {
        guard type.group.isEmpty else { return false }
        return ["pods", "services", "persistentvolumeclaims", "serviceaccounts", "resourcequotas"]
            .contains(type.plural)
    }

    /// Of which a DELETE without a policy leaves the dependents (`DefaultGarbageCollectionPolicy`).
    var orphansByDefault: Bool { type.group == "batch" && type.version == "v1" && type.plural == "jobs" }
}
