import JSON
import KubernetesModel

/// A column of the Table that `kubectl get` prints.
public struct PrinterColumn: Sendable, Hashable {
    public var name: String
    /// `string`, `integer`, `number`, `boolean` or `date`, which is printed as an age.
    public var type: String
    public var format: String
    public var description: String
    /// Columns of a priority above 0 show only with `-o wide`.
    public var priority: Int
    public var jsonPath: String

    public init(
        name: String, type: String = "string", format: String = "", description: String = "", priority: Int = 0,
        jsonPath: String = ""
    ) {
        self.name = name
        self.type = type
        self.format = format
        self.description = description
        self.priority = priority
        self.jsonPath = jsonPath
    }
}

/// Where a kind keeps what its `scale` subresource shows; paths as in a CustomResourceDefinition (`.spec.replicas`).
public struct ScalePaths: Sendable, Hashable {
    public var specReplicas: String
    public var statusReplicas: String
    /// To a selector in its string form, or (built-in kinds) to a `LabelSelector`.
    public var labelSelector: String?

    public init(specReplicas: String, statusReplicas: String, labelSelector: String?) {
        self.specReplicas = specReplicas
        self.statusReplicas = statusReplicas
        self.labelSelector = labelSelector
    }
}

/// All that the server knows of one kind in one version: how it is named, checked, defaulted, merged and printed.
public struct ResourceDefinition: Sendable {
    public var type: ResourceType
    public var singular: String
    public var listKind: String
    public var shortNames: [String] = []
    public var categories: [String] = []
    /// Empty for kinds that are only posted, such as TokenReview, but for `create`.
    public var verbs: [String] = ResourceDefinition.allVerbs
    /// `status`, `scale`, `log`, `binding`, `eviction`, `exec`, `token`, `finalize`, `approval`.
    public var subresources: [String] = []
    public var schema: Schema
    /// Built-in kinds know strategic merge patch, ignore nulls, and carry `generation` only where they have a spec.
    public var isBuiltIn: Bool
    public var scale: ScalePaths?
    public var columns: [PrinterColumn] = []
    /// Whether the fields of a CRD version are served as deprecated, with a warning.
    public var deprecationWarning: String?
    /// For CRDs: the version that is stored.
    public var isStorageVersion = true

    public static let allVerbs = [
        "create", "delete", "deletecollection", "get", "list", "patch", "update", "watch",
    ]

    public init(type: ResourceType, schema: Schema, isBuiltIn: Bool) {
        self.type = type
        self.schema = schema
        self.isBuiltIn = isBuiltIn
        singular = type.kind.lowercased()
        listKind = type.kind + "List"
    }

    public var hasStatus: Bool { subresources.contains("status") }

    /// Whether writes of the object count generations: kinds with a spec that is apart from a status.
    public var countsGenerations: Bool {
        guard isBuiltIn else { return true }
        return [
            "Pod", "Deployment", "ReplicaSet", "Job", "PodDisruptionBudget", "NetworkPolicy",
            "CustomResourceDefinition", "HorizontalPodAutoscaler", "StatefulSet", "DaemonSet", "CronJob",
        ].contains(type.kind)
    }

    /// Removes unknown fields; what is dropped is named (`spec.foo`).
    public func prune(_ object: JSONValue) -> (value: JSONValue, dropped: [String]) {
        schema.prune(isBuiltIn ? object.withoutNulls : schema.withoutForbiddenNulls(object))
    }

    /// Without empty lists and maps, which Go leaves out of what it writes of the built-in kinds.
    func withoutEmpties(_ object: JSONValue) -> JSONValue { isBuiltIn ? schema.withoutEmpties(object) : object }

    /// Sets what the server sets when a user leaves it out.
    public func applyDefaults(_ object: JSONValue) -> JSONValue {
        let result = schema.applyDefaults(object)
        return isBuiltIn ? BuiltinDefaults.apply(to: result, kind: type.kind) : result
    }

    /// What is wrong with an object. `old` is the stored one, for what may not change.
    public func validate(_ object: JSONValue, old: JSONValue? = nil) -> [FieldError] {
        var errors = schema.validate(object) + NameRules.metadata(of: object, kind: type.kind, isBuiltIn: isBuiltIn)
        // Go's validation of the built-in kinds names duplicates itself, and lets some pass.
        if isBuiltIn { errors.removeAll { $0.kind == .duplicate } }
        if isBuiltIn, !errors.contains(where: { $0.kind == .typeInvalid }) {
            let known = Set(errors.map(\.path))
            errors += BuiltinValidation.validate(object, old: old, kind: type.kind)
                .filter { !known.contains($0.path) }
        }
        return errors
    }

    /// The answer (400) to a document whose fields do not have the types of a built-in kind, as Go's decoder refuses
    /// it before validation; nil where they do. Custom resources are refused by `validate`.
    public func decodingFailure(_ object: JSONValue) -> KubernetesStatus? {
        guard isBuiltIn, let error = schema.validate(object.withoutNulls).first(where: { $0.kind == .typeInvalid })
        else { return nil }
        let words = error.message.split(separator: "\"")
        let found = words.count > 1 ? String(words[1]) : "value"
        return KubernetesStatus(
            code: 400, reason: "BadRequest",
            message:
                "\(type.kind) in version \"\(type.version)\" cannot be handled as a \(type.kind): json: cannot unmarshal \(found) into Go struct field \(type.kind).\(error.path) of type \(Self.expected(in: error))"
        )
    }

    private static func expected(in error: FieldError) -> String {
        guard let range = error.message.firstRange(of: "must be of type ") else { return "unknown" }
        return String(error.message[range.upperBound...].prefix { $0 != ":" })
    }
}
