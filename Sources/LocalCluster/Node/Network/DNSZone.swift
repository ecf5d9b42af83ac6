/// The names of a cluster's services, as the Kubernetes DNS specification 1.1 has them: pure.
struct DNSZone: Sendable {
    private let domain: [String]
    private let table: ServiceTable

    /// - Parameter domain: `cluster.local`
    init(_ table: ServiceTable, domain: String) {
        self.table = table
        self.domain = domain.lowercased().split(separator: ".").map(String.init)
    }

    /// The answer to a question; there is nothing to be learnt here of names beyond the cluster.
    func answer(to query: DNSQuery) -> DNSAnswer {
        guard query.name.count >= domain.count, query.name.suffix(domain.count) == domain[...] else {
            return DNSAnswer(code: .noSuchName)
        }
        guard let found = records(query.name.dropLast(domain.count)) else {
            return DNSAnswer(code: .noSuchName, authority: [authority])
        }
        // An alias answers questions of every type.
        let answers = found.records.filter { $0.type == query.type || $0.type == DNSRecord.typeCNAME }
        if answers.isEmpty { return DNSAnswer(authority: [authority]) }
        return DNSAnswer(answers: answers, additional: query.type == DNSRecord.typeSRV ? found.additional : [])
    }

    private struct Records {
        var records: [DNSRecord] = []
        var additional: [DNSRecord] = []
    }

    private var authority: DNSRecord {
        DNSRecord(
            name: domain, .authority(server: ["ns", "dns"] + domain, mailbox: ["hostmaster"] + domain))
    }

    /// What there is of a name, given without the domain; nil where there is no such name.
    private func records(_ name: ArraySlice<String>) -> Records? {
        guard let kind = name.last else {
            return Records(records: [DNSRecord(authority.value)])
        }
        let labels = Array(name.dropLast())
        guard kind == "svc" else { return nil }
        guard let namespace = labels.last else { return Records() }
        // A namespace, like the transports below, is a name that only has names below it.
        if labels.count == 1 { return table.namespaces.contains(namespace) ? Records() : nil }
        let key = ServiceTable.Name(service: labels[labels.count - 2], namespace: namespace)
        guard let service = table.services[key] else { return nil }
        switch labels.count {
        case 2: return ofService(service)
        case 3 where labels[0] == "_tcp" || labels[0] == "_udp":
            return service.ports.contains { "_\($0.transport.lowercased())" == labels[0] } ? Records() : nil
        case 3: return ofEndpoint(labels[0], service)
        case 4: return ofPort(labels[0], labels[1], service, Array(name) + domain)
        default: return nil
        }
    }

    private func ofService(_ service: ServiceTable.Service) -> Records {
        if let alias = service.alias {
            return Records(records: [DNSRecord(.alias(alias.lowercased().split(separator: ".").map(String.init)))])
        }
        let addresses = service.address.map { [$0] } ?? service.ready.map(\.address)
        return Records(records: unique(addresses.compactMap { DNSRecord(address: $0) }))
    }

    /// Endpoints of headless services have names of their own, and so, by their addresses, have those without a host
    /// name.
    private func ofEndpoint(_ label: String, _ service: ServiceTable.Service) -> Records? {
        let found = service.ready.filter { Self.label($0) == label }
        return found.isEmpty ? nil : Records(records: unique(found.compactMap { DNSRecord(address: $0.address) }))
    }

    /// - Parameter name: `_http._tcp.wine.ml.svc.cluster.local`
    private func ofPort(
        _ label: String, _ transport: String, _ service: ServiceTable.Service, _ name: [String]
    ) -> Records? {
        guard
            let port = service.ports.first(where: {
                !$0.name.isEmpty && "_\($0.name)" == label && "_\($0.transport.lowercased())" == transport
            })
        else { return nil }
        let owner = Array(name.dropFirst(2))
        if let address = service.address {
            return Records(
                records: [DNSRecord(.service(port: port.number, target: owner))],
                additional: [DNSRecord(name: owner, address: address)].compactMap { $0 })
        }
        var result = Records()
        for endpoint in service.ready {
            guard let number = endpoint.number(port) else { continue }
            let target = [Self.label(endpoint)] + owner
            result.records.append(DNSRecord(.service(port: number, target: target)))
            if let record = DNSRecord(name: target, address: endpoint.address) { result.additional.append(record) }
        }
        return Records(records: unique(result.records), additional: unique(result.additional))
    }

    private static func label(_ endpoint: ServiceTable.Endpoint) -> String {
        endpoint.hostname?.lowercased() ?? endpoint.address.replacing(".", with: "-")
    }

    private func unique(_ records: [DNSRecord]) -> [DNSRecord] {
        var seen: Set<DNSRecord> = []
        return records.filter { seen.insert($0).inserted }
    }
}
