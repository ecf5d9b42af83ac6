import JSON
import KubernetesModel

/// The built-in kinds that the local server serves.
public enum BuiltinKinds {
    /// Every definition, in the order in which discovery lists them.
    public static let all: [ResourceDefinition] = core + workloads + others

    /// The `Scale` that `scale` subresources speak.
    public static let scale = ResourceDefinition(
        type: ResourceType(group: "autoscaling", version: "v1", plural: "scales", kind: "Scale"),
        schema: BuiltinTypes.resource("Scale"), isBuiltIn: true)

    static let replicaScale = ScalePaths(
        specReplicas: ".spec.replicas", statusReplicas: ".status.replicas", labelSelector: ".spec.selector")

    static func define(
        _ type: ResourceType, short: [String] = [], categories: [String] = [], subresources: [String] = [],
        schema: String? = nil, verbs: [String] = ResourceDefinition.allVerbs
    ) -> ResourceDefinition {
        var result = ResourceDefinition(
            type: type, schema: BuiltinTypes.resource(schema ?? type.kind), isBuiltIn: true)
        result.shortNames = short
        result.categories = categories
        result.subresources = subresources
        result.verbs = verbs
        if subresources.contains("scale") { result.scale = replicaScale }
        return result
    }

    private static func define(
        _ group: String, _ plural: String, _ kind: String, version: String = "v1", namespaced: Bool = true,
        short: [String] = [], categories: [String] = [], subresources: [String] = [], schema: String? = nil,
        verbs: [String] = ResourceDefinition.allVerbs
    ) -> ResourceDefinition {
        define(
            ResourceType(group: group, version: version, plural: plural, kind: kind, isNamespaced: namespaced),
            short: short, categories: categories, subresources: subresources, schema: schema, verbs: verbs)
    }

    private static let core: [ResourceDefinition] = [
        define("", "bindings", "Binding", verbs: ["create"]),
        define(.configMaps, short: ["cm"]),
        define(.endpoints, short: ["ep"]),
        define(.coreEvents, short: ["ev"]),
        define("", "limitranges", "LimitRange", short: ["limits"]),
        define(
            .namespaces, short: ["ns"], subresources: ["finalize", "status"],
            verbs: ResourceDefinition.allVerbs.filter { $0 != "deletecollection" }),
        define(.nodes, short: ["no"], subresources: ["status"]),
        define(.persistentVolumeClaims, short: ["pvc"], subresources: ["status"]),
        define(.persistentVolumes, short: ["pv"], subresources: ["status"]),
        define(
            .pods, short: ["po"], categories: ["all"],
            subresources: ["binding", "ephemeralcontainers", "eviction", "log", "status"]),
        define(.resourceQuotas, short: ["quota"], subresources: ["status"]),
        define(.secrets),
        define(.serviceAccounts, short: ["sa"], subresources: ["token"]),
        define(.services, short: ["svc"], categories: ["all"], subresources: ["status"]),
    ]

    private static let workloads: [ResourceDefinition] = [
        define(.deployments, short: ["deploy"], categories: ["all"], subresources: ["scale", "status"]),
        define(.replicaSets, short: ["rs"], categories: ["all"], subresources: ["scale", "status"]),
        define(
            "autoscaling", "horizontalpodautoscalers", "HorizontalPodAutoscaler", version: "v2", short: ["hpa"],
            categories: ["all"], subresources: ["status"]),
        define(.jobs, categories: ["all"], subresources: ["status"]),
        define(
            "policy", "poddisruptionbudgets", "PodDisruptionBudget", short: ["pdb"], subresources: ["status"]),
    ]

    private static let rbac = "rbac.authorization.k8s.io"

    private static let others: [ResourceDefinition] = [
        define(
            .customResourceDefinitions, short: ["crd", "crds"], categories: ["api-extensions"],
            subresources: ["status"]),
        define(
            "authentication.k8s.io", "selfsubjectreviews", "SelfSubjectReview", namespaced: false, verbs: ["create"]),
        define("authentication.k8s.io", "tokenreviews", "TokenReview", namespaced: false, verbs: ["create"]),
        define(
            "authorization.k8s.io", "localsubjectaccessreviews", "LocalSubjectAccessReview",
            schema: "SubjectAccessReview", verbs: ["create"]),
        define(
            "authorization.k8s.io", "selfsubjectaccessreviews", "SelfSubjectAccessReview", namespaced: false,
            verbs: ["create"]),
        define(
            "authorization.k8s.io", "selfsubjectrulesreviews", "SelfSubjectRulesReview", namespaced: false,
            verbs: ["create"]),
        define(
            "authorization.k8s.io", "subjectaccessreviews", "SubjectAccessReview", namespaced: false, verbs: ["create"]),
        define(.leases),
        define(.endpointSlices),
        define(.events, short: ["ev"], schema: "NewEvent"),
        define(.networkPolicies, short: ["netpol"]),
        define(rbac, "clusterrolebindings", "ClusterRoleBinding", namespaced: false),
        define(rbac, "clusterroles", "ClusterRole", namespaced: false),
        define(rbac, "rolebindings", "RoleBinding"),
        define(rbac, "roles", "Role"),
    ]

    /// The schema of a document posted to a subresource (`TokenRequest`, `Eviction`, `Binding`, `Scale`).
    public static func subresourceSchema(kind: String) -> Schema { BuiltinTypes.resource(kind) }
}
