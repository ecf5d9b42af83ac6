import CurlTransport
import JSON
import KubernetesClient
import KubernetesModel

/// The Service `kubernetes`, by which pods find the API server: at the first address of the range, on port 443.
struct KubernetesService: Sendable {
    let address: String

    /// - Parameter serviceAddresses: `10.96.1.0/24`
    init(serviceAddresses: String) {
        address = serviceAddresses.prefix { $0 != "/" }.split(separator: ".").dropLast().joined(separator: ".") + ".1"
    }

    /// Creates it. The node forwards to the server, which listens for this machine alone.
    func publish(on cluster: ClusterHandle) async throws {
        let configuration = cluster.configuration(.controllerManager)
        let transport = try CurlTransport(configuration.transport)
        defer { transport.shutdown() }
        let client = KubernetesClient(transport: transport, credentials: configuration.credentials)
        let metadata: JSONValue = ["name": "kubernetes", "namespace": "default"]
        let service: JSONValue = [
            "metadata": metadata,
            "spec": [
                "clusterIP": .string(address),
                "ports": [["name": "https", "port": 443, "targetPort": JSONValue(cluster.port)]],
            ],
        ]
        _ = try await client.create(.services, service, fieldManager: Self.fieldManager)
        var labelled = metadata
        labelled["labels", "kubernetes.io/service-name"] = "kubernetes"
        let slice: JSONValue = [
            "metadata": labelled, "addressType": "IPv4", "endpoints": [["addresses": ["127.0.0.1"]]],
            "ports": [["name": "https", "port": JSONValue(cluster.port), "protocol": "TCP"]],
        ]
        _ = try await client.create(.endpointSlices, slice, fieldManager: Self.fieldManager)
    }

    private static let fieldManager = "kube-apiserver"
}
