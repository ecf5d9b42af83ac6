import AssayCore
import JSON
import KubernetesModel

/// Watches over the protocol of sleep and waking, and counts how often it ran.
///
/// Confined to the simulation's thread, which is that of all writes.
final class SleepCheck: @unchecked Sendable {  // Safe: one job at a time; see `World.run()`.
    private let network: PodNetwork
    private let traffic: Traffic
    private let fail: (Violation) -> Void
    private(set) var sleeps = 0
    private(set) var wakeUps = 0

    init(network: PodNetwork, traffic: Traffic, fail: @escaping (Violation) -> Void) {
        self.network = network
        self.traffic = traffic
        self.fail = fail
    }

    func check(_ write: SimulatedServer.Write) {
        if write.isSleep, write.actor.hasPrefix("operator") {
            sleeps += 1
            let revision = write.before?.label(Label.revision) ?? ""
            let inFlight = network.inFlight(revision)
            if inFlight > 0 { breach("\(revision) is sent to sleep with \(inFlight) requests in flight") }
            if traffic.isDirect { breach("\(revision) is sent to sleep while users are led to its pods") }
        }
        if write.isWaking {
            wakeUps += 1
            let replicas = write.before?["spec", "replicas"]?.int ?? 0
            if replicas > 0 { breach("a gateway scales what is awake, from \(replicas)") }
        }
    }

    private func breach(_ what: String) { fail(Violation(invariant: "I12", detail: what)) }
}
