import Concurrency
import ControllerRuntime
import JSON
import KubernetesClient
import KubernetesModel
import Logging

/// Where a node learns who serves a service: EndpointSlices, or Endpoints on servers before Kubernetes 1.21, which have
/// no `discovery.k8s.io/v1`.
struct EndpointSource: Sendable {
    /// `endpointSlices` or `endpoints`.
    let type: ResourceType
    let store: Store<DynamicObject>

    init(_ type: ResourceType = .endpointSlices) {
        self.type = type
        store = Store()
    }

    /// Asks the server, until it answers or the task is cancelled, which of the two it has.
    static func find(_ client: KubernetesClient, time: any TimeSource, logger: Logger) async throws -> EndpointSource {
        while true {
            do throws(KubernetesError) {
                return EndpointSource(try await client.serves(.endpointSlices) ? .endpointSlices : .endpoints)
            } catch {
                try Task.checkCancellation()
                logger.warning("cannot learn what the API server has; trying again", metadata: ["error": "\(error)"])
                try await time.sleep(for: .seconds(1))
            }
        }
    }

    /// What is known now, as EndpointSlices.
    var slices: [JSONValue] {
        let objects = store.all().map(\.json)
        return type == .endpoints ? objects.flatMap(Self.slices) : objects
    }

    /// Endpoints carry the name of their service and tell ready addresses from others; of an address that terminates
    /// they say nothing.
    static func slices(of endpoints: JSONValue) -> [JSONValue] {
        let metadata: JSONValue = [
            "name": endpoints["metadata", "name"] ?? "", "namespace": endpoints["metadata", "namespace"] ?? "default",
            "labels": ["kubernetes.io/service-name": endpoints["metadata", "name"] ?? ""],
        ]
        return (endpoints["subsets"]?.array ?? []).map { subset in
            let ready = (subset["addresses"]?.array ?? []).map { endpoint($0, ready: true) }
            let others = (subset["notReadyAddresses"]?.array ?? []).map { endpoint($0, ready: false) }
            return [
                "metadata": metadata, "addressType": "IPv4", "endpoints": .array(ready + others),
                "ports": subset["ports"] ?? [],
            ]
        }
    }

    private static func endpoint(_ address: JSONValue, ready: Bool) -> JSONValue {
        var result: JSONValue = [
            "addresses": .array([address["ip"] ?? ""]), "conditions": ["ready": .bool(ready)],
        ]
        result["hostname"] = address["hostname"]
        return result
    }
}
