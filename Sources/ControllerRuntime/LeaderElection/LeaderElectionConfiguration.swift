import KubernetesModel

/// By which Lease one of several replicas leads, and how fast.
public struct LeaderElectionConfiguration: Sendable, Hashable {
    /// The Lease's namespace and name.
    public var lease: ObjectKey
    /// How long what lasts.
    public var times: LeaderElectionTimes

    /// client-go's times, unless others are given.
    public init(lease: ObjectKey, times: LeaderElectionTimes = .standard) {
        self.lease = lease
        self.times = times
    }
}
