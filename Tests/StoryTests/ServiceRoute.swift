import ControllerRuntime
import CurlTransport
import JSON
import KubernetesClient
import KubernetesModel
import TestCluster

/// What stands for kube-proxy: a Service's endpoints as the API last told them, of which each connection gets one by chance. A
/// connection that is refused there is refused.
struct ServiceRoute: Sendable, CustomStringConvertible {
    private let store = Store<DynamicObject>()
    private let reflector: Reflector<DynamicObject>
    private let type: ResourceType
    private let service: String

    /// - Parameter client: of somebody who misses the API server when it is away.
    init(to service: String, in namespace: String, client: KubernetesClient, servesSlices: Bool) {
        type = servesSlices ? .endpointSlices : .endpoints
        self.service = service
        reflector = Reflector(
            client: client, type: type, namespace: namespace, store: store, logger: TestCluster.logger)
    }

    /// Follows the endpoints until cancelled.
    func run() async { await reflector.run() }

    /// Whom a new connection goes to; nil where there is nobody.
    func next(_ random: inout SeededGenerator) -> (address: String, port: Int)? {
        let ready = type == .endpoints ? endpoints() : slices { $0["ready"] }
        if !ready.isEmpty { return ready.randomElement(using: &random) }
        // Where none is ready, those that go away and still serve (KEP-1669).
        return slices { $0["serving"] }.randomElement(using: &random)
    }

    /// What is known of the Service.
    var description: String {
        store.all().map { "\($0.json["endpoints"] ?? $0.json["subsets"] ?? [:])" }.joined(separator: " ")
    }

    private func slices(_ condition: (JSONValue) -> JSONValue?) -> [(address: String, port: Int)] {
        store.all().map(\.json).flatMap { slice -> [(address: String, port: Int)] in
            guard slice[path: ["metadata", "labels", "kubernetes.io/service-name"]]?.string == service,
                let port = slice["ports"]?[0]?["port"]?.int
            else { return [] }
            return (slice["endpoints"]?.array ?? []).compactMap { endpoint in
                guard condition(endpoint["conditions"] ?? [:]) == true else { return nil }
                return endpoint["addresses"]?[0]?.string.map { ($0, port) }
            }
        }
    }

    private func endpoints() -> [(address: String, port: Int)] {
        store.all().map(\.json).filter { $0["metadata", "name"]?.string == service }.flatMap { object in
            (object["subsets"]?.array ?? []).flatMap { subset -> [(address: String, port: Int)] in
                let port = subset["ports"]?[0]?["port"]?.int ?? 0
                return (subset["addresses"]?.array ?? []).compactMap { $0["ip"]?.string.map { ($0, port) } }
            }
        }
    }
}
