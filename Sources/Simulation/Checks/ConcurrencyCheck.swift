import AssayCore
import JSON
import KubernetesModel

/// Watches over how many requests each pod has from all gateways together, where the model says how many it may have.
///
/// Confined to the simulation's thread.
final class ConcurrencyCheck: @unchecked Sendable {  // Safe: one job at a time; see `World.run()`.
    private let server: SimulatedServer
    private let fail: (Violation) -> Void

    init(server: SimulatedServer, network: PodNetwork, fail: @escaping (Violation) -> Void) {
        self.server = server
        self.fail = fail
        network.onSend = { [weak self] in self?.check($0) }
    }

    private func check(_ pod: ServingPod) {
        guard let limit = server.object(.mlModels, Person.key)?["spec", "serving", "containerConcurrency"]?.int else {
            return
        }
        let count = pod.connections.count { $0.request != nil }
        guard count > limit else { return }
        fail(Violation(invariant: "I12", detail: "the pod \(pod.address) has \(count) requests, and may have \(limit)"))
    }
}
