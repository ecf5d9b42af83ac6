import JSON

/// The services whose addresses a pod gets in its environment: those of its namespace, and the API server's.
enum ServiceLinks {
    /// - Parameter all: `enableServiceLinks`; without it only the API server's.
    static func addresses(
        of services: [JSONValue], namespace: String, all: Bool
    ) -> [EnvironmentSources.ServiceAddress] {
        services.compactMap { service in
            let name = service["metadata", "name"]?.string ?? ""
            let home = service["metadata", "namespace"]?.string ?? "default"
            let isServer = home == "default" && name == "kubernetes"
            guard isServer || (all && home == namespace) else { return nil }
            guard let address = service["spec", "clusterIP"]?.string, !address.isEmpty, address != "None" else {
                return nil
            }
            let ports = (service["spec", "ports"]?.array ?? []).compactMap { port in
                port["port"]?.int.map { (port["name"]?.string, $0, port["protocol"]?.string ?? "TCP") }
            }
            return EnvironmentSources.ServiceAddress(name: name, address: address, ports: ports)
        }.sorted { $0.name < $1.name }
    }
}
