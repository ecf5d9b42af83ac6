import KubernetesModel

/// Wakes what sleeps: the one thing that the gateway changes in the cluster.
public protocol Waker: Sendable {
    /// Scales a Deployment from zero to one. One that is scaled already is awake.
    func wake(_ deployment: ObjectKey) async -> WakeOutcome
}
