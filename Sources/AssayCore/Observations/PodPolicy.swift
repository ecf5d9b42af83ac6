import KubernetesModel

/// What the rendered pods of a namespace are measured by.
public struct PodPolicy: Sendable, Hashable {
    /// The operator's own level.
    public var operatorLevel: PodSecurityLevel
    public var namespace: NamespaceObservation?
    /// The service accounts of the namespace by name, or those of them that the templates name.
    public var serviceAccounts: [String: ServiceAccountObservation]

    public init(
        operatorLevel: PodSecurityLevel = .baseline, namespace: NamespaceObservation? = nil,
        serviceAccounts: [String: ServiceAccountObservation] = [:]
    ) {
        self.operatorLevel = operatorLevel
        self.namespace = namespace
        self.serviceAccounts = serviceAccounts
    }

    static let enforceLabel = "pod-security.kubernetes.io/enforce"

    /// The stricter of the namespace's and the operator's. A label that names no level counts as the strictest, since
    /// somebody meant to restrict.
    public var level: PodSecurityLevel {
        guard let text = namespace?.metadata.labels[Self.enforceLabel] else { return operatorLevel }
        return max(operatorLevel, PodSecurityLevel(rawValue: text) ?? .restricted)
    }

    func mayUse(serviceAccount name: String) -> Bool {
        name == "default" || serviceAccounts[name]?.metadata.annotations[Label.allowUse] == "true"
    }
}

/// The Pod Security Standards, from lax to strict.
public enum PodSecurityLevel: String, Sendable, Hashable, CaseIterable, Comparable {
    case privileged
    case baseline
    case restricted

    private var strictness: Int {
        switch self {
        case .privileged: 0
        case .baseline: 1
        case .restricted: 2
        }
    }

    public static func < (left: Self, right: Self) -> Bool { left.strictness < right.strictness }
}
