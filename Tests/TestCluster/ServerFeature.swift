/// What not every API server of today has: the one list of what tests may be skipped for.
///
/// Nothing here is missing in Kubernetes 1.29 or newer.
public enum ServerFeature: String, CaseIterable, Sendable {
    /// `x-kubernetes-validations` in a CustomResourceDefinition's schema.
    case celValidation
    /// `suspend` of a Job.
    case jobSuspend
    /// `ttlSecondsAfterFinished` of a Job.
    case jobTTL
    /// `completionMode: Indexed` of a Job.
    case indexedJobs
    /// `podFailurePolicy` of a Job.
    case podFailurePolicy
    /// `discovery.k8s.io/v1`
    case endpointSliceV1
    /// `policy/v1`
    case policyV1
    /// A watch that begins with what is there and says where that ends.
    case sendInitialEvents
    /// Pods refused by the level that their namespace's label names.
    case podSecurityAdmission
    /// `fieldValidation=Strict`
    case fieldValidation
    /// The label `kubernetes.io/metadata.name` on every namespace.
    case namespaceNameLabel
    /// Tokens of pods from a projected volume instead of a secret.
    case boundTokenVolumes

    /// The first minor version of Kubernetes 1 that has it.
    public var minorVersion: Int {
        switch self {
        case .endpointSliceV1, .policyV1, .jobTTL, .namespaceNameLabel, .boundTokenVolumes: 21
        case .jobSuspend, .indexedJobs: 22
        case .podSecurityAdmission: 23
        case .celValidation, .fieldValidation: 25
        case .podFailurePolicy: 26
        case .sendInitialEvents: 27
        }
    }

    /// Where `sendInitialEvents` has to be asked for, by the feature gate `WatchList`.
    static let gated = 27..<32

    static func all(in minorVersion: Int) -> Set<ServerFeature> {
        Set(allCases.filter { minorVersion >= $0.minorVersion })
    }
}
