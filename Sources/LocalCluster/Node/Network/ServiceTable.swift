import JSON

/// What services there are and who serves them: a pure view of the API's objects, for the proxy and for DNS.
struct ServiceTable: Sendable {
    struct Backend: Sendable, Hashable {
        var address: String
        var port: Int
    }

    struct Listener: Sendable, Hashable {
        var address: String
        var port: Int
    }

    struct Name: Sendable, Hashable {
        var service: String
        var namespace: String
    }

    struct Port: Sendable, Hashable {
        /// Empty where there is only one.
        var name: String
        /// `TCP`, `UDP`
        var transport: String
        var number: Int
    }

    struct Endpoint: Sendable, Hashable {
        var address: String
        var hostname: String?
        var isReady: Bool
        /// Goes away and answers until then.
        var isServingToItsEnd: Bool
        /// Where it serves each port of the service.
        var ports: [Port]

        func number(_ port: Port) -> Int? {
            ports.first { $0.name == port.name && $0.transport == port.transport }?.number
        }
    }

    struct Service: Sendable, Hashable {
        /// Nil for a headless one.
        var address: String?
        /// What an `ExternalName` stands for.
        var alias: String?
        var ports: [Port]
        var endpoints: [Endpoint]

        var ready: [Endpoint] { endpoints.filter(\.isReady) }

        /// Who gets new connections: the ready, and where none is left those that go away but still serve (KEP-1669).
        fileprivate var candidates: [Endpoint] { ready.isEmpty ? endpoints.filter(\.isServingToItsEnd) : ready }
    }

    /// For each address and port of a service: who is to serve it. Those without any are left out, so that connecting to
    /// them is refused.
    private(set) var listeners: [Listener: [Backend]] = [:]
    let services: [Name: Service]
    let namespaces: Set<String>

    /// - Parameters:
    ///   - services: `v1` Services.
    ///   - slices: `discovery.k8s.io/v1` EndpointSlices.
    init(services: [JSONValue], slices: [JSONValue]) {
        var endpoints: [Name: Set<Endpoint>] = [:]
        for slice in slices where slice["addressType"]?.string == "IPv4" {
            guard let name = slice[path: ["metadata", "labels", "kubernetes.io/service-name"]]?.string else { continue }
            endpoints[Name(service: name, in: slice), default: []].formUnion(Self.endpoints(of: slice))
        }
        var known: [Name: Service] = [:]
        for service in services {
            let name = Name(service: service["metadata", "name"]?.string ?? "", in: service)
            known[name] = Service(service, (endpoints[name] ?? []).sorted { $0.address < $1.address })
        }
        self.services = known
        namespaces = Set(known.keys.map(\.namespace))
        for service in known.values {
            guard let address = service.address else { continue }
            for port in service.ports where port.transport == "TCP" {
                let backends = service.candidates.compactMap { endpoint in
                    endpoint.number(port).map { Backend(address: endpoint.address, port: $0) }
                }
                if !backends.isEmpty { listeners[Listener(address: address, port: port.number)] = backends }
            }
        }
    }

    private static func endpoints(of slice: JSONValue) -> [Endpoint] {
        let ports = (slice["ports"]?.array ?? []).compactMap(Port.init)
        return (slice["endpoints"]?.array ?? []).flatMap { endpoint -> [Endpoint] in
            let conditions = endpoint["conditions"]
            // What is not said is taken to be ready, to serve as it is ready, and not to go away.
            let isReady = conditions?["ready"]?.bool ?? true
            let serves = conditions?["serving"]?.bool ?? isReady
            let isTerminating = conditions?["terminating"]?.bool ?? false
            return (endpoint["addresses"]?.array ?? []).compactMap(\.string).map { address in
                Endpoint(
                    address: address, hostname: endpoint["hostname"]?.string, isReady: isReady,
                    isServingToItsEnd: serves && isTerminating, ports: ports)
            }
        }
    }

    /// The addresses that the node must have: also those that nobody is ready to serve now, so that connecting to them is
    /// refused and does not wait, and that connections made before go on.
    var serviceAddresses: Set<String> { Set(services.values.compactMap(\.address)) }
}

extension ServiceTable.Name {
    fileprivate init(service: String, in object: JSONValue) {
        self.init(service: service, namespace: object["metadata", "namespace"]?.string ?? "default")
    }
}

extension ServiceTable.Port {
    fileprivate init?(json: JSONValue) {
        guard let number = json["port"]?.int else { return nil }
        self.init(name: json["name"]?.string ?? "", transport: json["protocol"]?.string ?? "TCP", number: number)
    }
}

extension ServiceTable.Service {
    fileprivate init(_ json: JSONValue, _ endpoints: [ServiceTable.Endpoint]) {
        let spec = json["spec"]
        address = spec?["clusterIP"]?.string.flatMap { $0.isEmpty || $0 == "None" ? nil : $0 }
        alias = spec?["type"] == "ExternalName" ? spec?["externalName"]?.string : nil
        ports = (spec?["ports"]?.array ?? []).compactMap(ServiceTable.Port.init)
        let publishesAll = spec?["publishNotReadyAddresses"]?.bool == true
        self.endpoints = endpoints.map { endpoint in
            var endpoint = endpoint
            endpoint.isReady = endpoint.isReady || publishesAll
            return endpoint
        }
    }
}
