import JSON

/// What services there are and who serves them: a pure view of the API's objects, for the proxy and for DNS.
struct ServiceTable: Sendable {
    struct Backend: Sendable, Hashable {
        var address: String
        var port: Int
    }

    struct Endpoint: Sendable, Hashable {
        var address: String
        var hostname: String?
    }

    struct Listener: Sendable, Hashable {
        var address: String
        var port: Int
    }

    /// For each address and port of a service: who is ready to serve it. Those without any are left out, so that
    /// connecting to them is refused.
    private(set) var listeners: [Listener: [Backend]] = [:]
    private var addresses: [String: String] = [:]
    private var endpoints: [String: Set<Endpoint>] = [:]

    /// - Parameters:
    ///   - services: `v1` Services.
    ///   - slices: `discovery.k8s.io/v1` EndpointSlices.
    init(services: [JSONValue], slices: [JSONValue]) {
        var slicesByService: [String: [JSONValue]] = [:]
        for slice in slices where slice["addressType"]?.string == "IPv4" {
            let namespace = slice["metadata", "namespace"]?.string ?? "default"
            guard let name = slice[path: ["metadata", "labels", "kubernetes.io/service-name"]]?.string else { continue }
            slicesByService["\(name).\(namespace)", default: []].append(slice)
        }
        for service in services {
            let namespace = service["metadata", "namespace"]?.string ?? "default"
            guard let name = service["metadata", "name"]?.string else { continue }
            let own = slicesByService["\(name).\(namespace)"] ?? []
            let address = service["spec", "clusterIP"]?.string ?? ""
            addresses["\(name).\(namespace)"] = address
            let publishesAll = service["spec", "publishNotReadyAddresses"]?.bool == true
            endpoints["\(name).\(namespace)"] = Set(own.flatMap { Self.endpoints(of: $0, all: publishesAll) })
            guard !address.isEmpty, address != "None" else { continue }
            for port in service["spec", "ports"]?.array ?? [] where (port["protocol"]?.string ?? "TCP") == "TCP" {
                guard let number = port["port"]?.int else { continue }
                let backends = own.flatMap {
                    Self.backends(of: $0, port: port["name"]?.string ?? "", all: publishesAll)
                }
                if !backends.isEmpty { listeners[Listener(address: address, port: number)] = backends }
            }
        }
    }

    private static func endpoints(of slice: JSONValue, all: Bool) -> [Endpoint] {
        (slice["endpoints"]?.array ?? []).flatMap { endpoint -> [Endpoint] in
            guard all || endpoint["conditions", "ready"]?.bool != false else { return [] }
            return (endpoint["addresses"]?.array ?? []).compactMap { address in
                address.string.map { Endpoint(address: $0, hostname: endpoint["hostname"]?.string) }
            }
        }
    }

    private static func backends(of slice: JSONValue, port name: String, all: Bool) -> [Backend] {
        let port = (slice["ports"]?.array ?? []).first { ($0["name"]?.string ?? "") == name }
        guard let number = port?["port"]?.int else { return [] }
        return endpoints(of: slice, all: all).map { Backend(address: $0.address, port: number) }
    }

    /// The addresses that the node must have: also those that nobody is ready to serve now, so that connecting to them is
    /// refused and does not wait, and that connections made before go on.
    var serviceAddresses: Set<String> { Set(addresses.values.filter { !$0.isEmpty && $0 != "None" }) }

    /// Answers for a name in the cluster's domain: `service.namespace.svc.<domain>`, and
    /// `hostname.service.namespace.svc.<domain>` for an endpoint with a host name.
    func answer(to name: String, domain: String) -> DNSAnswer {
        let suffix = ".svc.\(domain)"
        if name == domain || name == "svc.\(domain)" { return .addresses([]) }
        guard name.hasSuffix(suffix) else { return .noSuchName }
        let labels = name.dropLast(suffix.count).split(separator: ".").map(String.init)
        switch labels.count {
        case 1:
            // A namespace is a name without addresses.
            return addresses.keys.contains { $0.hasSuffix(".\(labels[0])") } ? .addresses([]) : .noSuchName
        case 2:
            let key = "\(labels[0]).\(labels[1])"
            guard let address = addresses[key] else { return .noSuchName }
            if !address.isEmpty, address != "None" { return .addresses([address]) }
            return .addresses((endpoints[key] ?? []).map(\.address).sorted())
        case 3:
            let found = (endpoints["\(labels[1]).\(labels[2])"] ?? []).filter { $0.hostname == labels[0] }
            return found.isEmpty ? .noSuchName : .addresses(found.map(\.address).sorted())
        default: return .noSuchName
        }
    }
}
