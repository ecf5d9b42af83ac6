import AssayCore
import JSON
import KubernetesClient
import KubernetesModel

/// Wakes a Deployment by its scale, which is all that the gateway has the right to change.
///
/// The patch carries the resource version that was read, so it does not undo what somebody else has decided in between;
/// whoever has scaled it up meanwhile has done our work.
public struct ClientWaker: Waker {
    private let client: KubernetesClient

    /// - Parameter client: with the right to get and patch `deployments/scale`.
    public init(client: KubernetesClient) { self.client = client }

    /// While a Deployment falls asleep its controller and other gateways write to it too, each of which is a conflict.
    private static let attempts = 5

    public func wake(_ deployment: ObjectKey) async -> WakeOutcome {
        var attempt = 1
        while true {
            do throws(KubernetesError) {
                return try await scale(deployment)
            } catch {
                guard error.isConflict, attempt < Self.attempts else {
                    return .failed("\(deployment.name) cannot be woken: \(error)")
                }
                attempt += 1
            }
        }
    }

    private func scale(_ deployment: ObjectKey) async throws(KubernetesError) -> WakeOutcome {
        let scale = try await client.get(.deployments, deployment, subresource: "scale")
        // At zero the server leaves the field out.
        if (scale["spec", "replicas"]?.int ?? 0) > 0 { return .awake }
        var patch: JSONValue = ["spec": ["replicas": 1]]
        if let version = scale["metadata", "resourceVersion"]?.string {
            patch["metadata"] = ["resourceVersion": .string(version)]
        }
        _ = try await client.mergePatch(
            .deployments, deployment, patch, subresource: "scale", fieldManager: FieldManager.scaler)
        return .awake
    }
}
