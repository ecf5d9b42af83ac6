/// A kind of object as the API names it: by group, version and plural in URLs, by kind in documents.
public struct ResourceType: Sendable, Hashable, CustomStringConvertible {
    /// Empty for the core group.
    public var group: String
    /// `v1`, `v1beta1`
    public var version: String
    /// `jobs`, as in URLs.
    public var plural: String
    /// `Job`, as in documents.
    public var kind: String
    /// Whether its objects are in namespaces, and not of the whole cluster.
    public var isNamespaced: Bool

    /// A type, of the core group when `group` is empty.
    public init(group: String, version: String, plural: String, kind: String, isNamespaced: Bool = true) {
        self.group = group
        self.version = version
        self.plural = plural
        self.kind = kind
        self.isNamespaced = isNamespaced
    }

    /// `v1`, `batch/v1`
    public var apiVersion: String { group.isEmpty ? version : "\(group)/\(version)" }

    /// `jobs.batch`, as in metrics, messages and RBAC.
    public var description: String { group.isEmpty ? plural : "\(plural).\(group)" }

    /// `/apis/batch/v1/namespaces/ml/jobs/wine/status`. Without a namespace, all namespaces.
    public func path(namespace: String? = nil, name: String? = nil, subresource: String? = nil) -> String {
        var path = group.isEmpty ? "/api/\(version)" : "/apis/\(group)/\(version)"
        if isNamespaced, let namespace { path += "/namespaces/\(namespace)" }
        path += "/\(plural)"
        if let name { path += "/\(name)" }
        if let subresource { path += "/\(subresource)" }
        return path
    }
}

extension ResourceType {
    /// `v1` Namespace, of the whole cluster.
    public static let namespaces = ResourceType(
        group: "", version: "v1", plural: "namespaces", kind: "Namespace", isNamespaced: false)
    /// `v1` Node, of the whole cluster.
    public static let nodes = ResourceType(group: "", version: "v1", plural: "nodes", kind: "Node", isNamespaced: false)
    /// `v1` Pod.
    public static let pods = ResourceType(group: "", version: "v1", plural: "pods", kind: "Pod")
    /// `v1` Service.
    public static let services = ResourceType(group: "", version: "v1", plural: "services", kind: "Service")
    /// `v1` Endpoints.
    public static let endpoints = ResourceType(group: "", version: "v1", plural: "endpoints", kind: "Endpoints")
    /// `v1` ConfigMap.
    public static let configMaps = ResourceType(group: "", version: "v1", plural: "configmaps", kind: "ConfigMap")
    /// `v1` Secret.
    public static let secrets = ResourceType(group: "", version: "v1", plural: "secrets", kind: "Secret")
    /// `v1` ServiceAccount.
    public static let serviceAccounts = ResourceType(
        group: "", version: "v1", plural: "serviceaccounts", kind: "ServiceAccount")
    /// `v1` PersistentVolumeClaim.
    public static let persistentVolumeClaims = ResourceType(
        group: "", version: "v1", plural: "persistentvolumeclaims", kind: "PersistentVolumeClaim")
    /// `v1` PersistentVolume, of the whole cluster.
    public static let persistentVolumes = ResourceType(
        group: "", version: "v1", plural: "persistentvolumes", kind: "PersistentVolume", isNamespaced: false)
    /// `v1` ResourceQuota.
    public static let resourceQuotas = ResourceType(
        group: "", version: "v1", plural: "resourcequotas", kind: "ResourceQuota")
    /// `events.k8s.io/v1` Event, as it is written today.
    public static let events = ResourceType(group: "events.k8s.io", version: "v1", plural: "events", kind: "Event")
    /// `v1` Event: the same objects in their older form.
    public static let coreEvents = ResourceType(group: "", version: "v1", plural: "events", kind: "Event")
    /// `networking.k8s.io/v1` NetworkPolicy.
    public static let networkPolicies = ResourceType(
        group: "networking.k8s.io", version: "v1", plural: "networkpolicies", kind: "NetworkPolicy")
    /// `authentication.k8s.io/v1` TokenReview, which is posted and never kept.
    public static let tokenReviews = ResourceType(
        group: "authentication.k8s.io", version: "v1", plural: "tokenreviews", kind: "TokenReview", isNamespaced: false)
    /// `batch/v1` Job.
    public static let jobs = ResourceType(group: "batch", version: "v1", plural: "jobs", kind: "Job")
    /// `apps/v1` Deployment.
    public static let deployments = ResourceType(
        group: "apps", version: "v1", plural: "deployments", kind: "Deployment")
    /// `apps/v1` ReplicaSet.
    public static let replicaSets = ResourceType(
        group: "apps", version: "v1", plural: "replicasets", kind: "ReplicaSet")
    /// `discovery.k8s.io/v1` EndpointSlice.
    public static let endpointSlices = ResourceType(
        group: "discovery.k8s.io", version: "v1", plural: "endpointslices", kind: "EndpointSlice")
    /// `coordination.k8s.io/v1` Lease.
    public static let leases = ResourceType(
        group: "coordination.k8s.io", version: "v1", plural: "leases", kind: "Lease")
    /// `apiextensions.k8s.io/v1` CustomResourceDefinition, of the whole cluster.
    public static let customResourceDefinitions = ResourceType(
        group: "apiextensions.k8s.io", version: "v1", plural: "customresourcedefinitions",
        kind: "CustomResourceDefinition", isNamespaced: false)
}

/// Which object of a kind: the namespace (nil for cluster-scoped kinds) and the name.
public struct ObjectKey: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// Nil for an object of the whole cluster.
    public var namespace: String?
    /// `metadata.name`
    public var name: String

    /// The key of an object that need not exist.
    public init(namespace: String?, name: String) {
        self.namespace = namespace
        self.name = name
    }

    /// `ml/wine`, or the name alone without a namespace.
    public var description: String { namespace.map { "\($0)/\(name)" } ?? name }

    /// Orders by namespace, then by name; objects of the whole cluster come first.
    public static func < (left: ObjectKey, right: ObjectKey) -> Bool {
        (left.namespace ?? "", left.name) < (right.namespace ?? "", right.name)
    }
}
