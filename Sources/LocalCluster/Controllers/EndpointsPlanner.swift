import JSON
import KubernetesModel

/// Endpoints and EndpointSlices of Services that select pods.
///
/// The endpoints of a Service without a selector are left to whoever writes them, and mirrored in slices.
public struct EndpointsPlanner: Sendable {
    static let managedBy = "endpointslice-controller.k8s.io"

    /// False where the server has no `discovery.k8s.io/v1`.
    let writesSlices: Bool

    public init(writesSlices: Bool = true) { self.writesSlices = writesSlices }

    /// - Parameters:
    ///   - pods: those of the Service's namespace.
    ///   - endpoints: the Endpoints object of the Service's name, if there is one.
    ///   - slices: those labelled with the Service's name.
    public func plan(
        service: JSONValue, pods: [JSONValue], endpoints: JSONValue?, slices: [JSONValue], now: Timestamp
    ) -> ControllerPlan {
        let selector = service["spec", "selector"]?.stringMap ?? [:]
        if service.isTerminating || service["spec", "type"]?.string == "ExternalName" { return ControllerPlan() }
        if selector.isEmpty { return planMirror(service: service, endpoints: endpoints, slices: slices) }
        let backends =
            pods
            .filter { pod in selector.allSatisfy { pod.labels[$0.key] == $0.value } }
            .compactMap { Backend(pod: PodFacts($0), service: service) }
            .sorted { $0.pod.json.name < $1.pod.json.name }
        var plan = ControllerPlan()
        planEndpoints(&plan, service, backends, endpoints)
        if writesSlices { planSlices(&plan, service, backends, slices.filter { $0.isControlled(by: service) }) }
        return plan
    }

    // MARK: Endpoints

    /// Endpoints of a Service that is gone go too, unless somebody else made them.
    func plan(withoutService endpoints: JSONValue?, madeBy manager: String) -> ControllerPlan? {
        let managers = endpoints?["metadata", "managedFields"]?.array ?? []
        guard let endpoints, managers.contains(where: { $0["manager"]?.string == manager }) else { return nil }
        return ControllerPlan(actions: [.delete(.endpoints, endpoints.key, uid: endpoints.uid, .background)])
    }

    private func planEndpoints(
        _ plan: inout ControllerPlan, _ service: JSONValue, _ backends: [Backend], _ existing: JSONValue?
    ) {
        var subsets: [JSONValue] = []
        for (ports, group) in Self.grouped(backends.filter { !$0.pod.json.isTerminating || $0.publishNotReady }) {
            var subset: JSONValue = [:]
            let ready = group.filter(\.isReady).map(\.endpointAddress)
            let notReady = group.filter { !$0.isReady }.map(\.endpointAddress)
            if !ready.isEmpty { subset["addresses"] = .array(ready) }
            if !notReady.isEmpty { subset["notReadyAddresses"] = .array(notReady) }
            if !ports.isEmpty { subset["ports"] = .array(ports) }
            subsets.append(subset)
        }
        let wanted: JSONValue? = subsets.isEmpty ? nil : .array(subsets)
        let labels = service.labels
        guard let existing else {
            var object: JSONValue = [
                "apiVersion": "v1", "kind": "Endpoints",
                "metadata": ["name": .string(service.name)],
            ]
            object["metadata", "namespace"] = JSONValue(service.namespace)
            if !labels.isEmpty { object["metadata", "labels"] = JSONValue(labels) }
            object["subsets"] = wanted
            plan.actions.append(.create(.endpoints, object, owner: service))
            return
        }
        if (existing["subsets"] ?? []) == (wanted ?? []) && existing.labels == labels { return }
        var changed = existing
        changed["subsets"] = wanted
        changed["metadata", "labels"] = labels.isEmpty ? nil : JSONValue(labels)
        plan.actions.append(.replace(.endpoints, changed))
    }

    // MARK: EndpointSlices

    private func planSlices(
        _ plan: inout ControllerPlan, _ service: JSONValue, _ backends: [Backend], _ existing: [JSONValue]
    ) {
        var groups = Self.grouped(backends)
        if groups.isEmpty { groups = [(Self.servicePorts(service), [])] }
        var unused = Set(existing.map(\.name))
        for (number, group) in groups.enumerated() {
            let name =
                "\(service.name)-\(TemplateHash.of(.string("\(service.uid)/\(number)"), collisions: 0).suffix(5))"
            unused.remove(name)
            let slice = slice(service, name: name, ports: group.ports, backends: group.backends)
            guard let old = existing.first(where: { $0.name == name }) else {
                plan.actions.append(.create(.endpointSlices, slice, owner: service))
                continue
            }
            if old["endpoints"] == slice["endpoints"] && (old["ports"] ?? []) == (slice["ports"] ?? []) { continue }
            var changed = old
            changed["endpoints"] = slice["endpoints"]
            changed["ports"] = slice["ports"]
            plan.actions.append(.replace(.endpointSlices, changed))
        }
        for old in existing where unused.contains(old.name) {
            plan.actions.append(.delete(.endpointSlices, old.key, uid: old.uid, .background))
        }
    }

    private func slice(_ service: JSONValue, name: String, ports: [JSONValue], backends: [Backend]) -> JSONValue {
        var labels = service.labels
        labels["kubernetes.io/service-name"] = service.name
        labels["endpointslice.kubernetes.io/managed-by"] = Self.managedBy
        if service["spec", "clusterIP"]?.string == "None" { labels["service.kubernetes.io/headless"] = "" }
        var metadata: JSONValue = [
            "name": .string(name), "labels": JSONValue(labels),
            "ownerReferences": [.ownerReference(service, .services)],
        ]
        metadata["namespace"] = JSONValue(service.namespace)
        return [
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": metadata,
            "addressType": "IPv4", "endpoints": .array(backends.map(\.sliceEndpoint)), "ports": .array(ports),
        ]
    }

    private static func servicePorts(_ service: JSONValue) -> [JSONValue] {
        (service["spec", "ports"]?.array ?? []).compactMap { port in
            guard let number = (port["targetPort"] ?? port["port"])?.int else { return nil }
            return Backend.port(port, number)
        }
    }

    /// Pods may give a named port different numbers; those of equal numbers stand together.
    private static func grouped(_ backends: [Backend]) -> [(ports: [JSONValue], backends: [Backend])] {
        var result: [(ports: [JSONValue], backends: [Backend])] = []
        for backend in backends {
            if let index = result.firstIndex(where: { $0.ports == backend.ports }) {
                result[index].backends.append(backend)
            } else {
                result.append((backend.ports, [backend]))
            }
        }
        return result
    }
}

/// A pod behind a Service.
private struct Backend {
    let pod: PodFacts
    let address: String
    let ports: [JSONValue]
    let publishNotReady: Bool
    private let headlessName: String?

    /// Nil for a pod that has no address, or is finished and will have no more traffic.
    init?(pod: PodFacts, service: JSONValue) {
        guard let address = pod.json["status", "podIP"]?.string, !address.isEmpty, !pod.isFinished else { return nil }
        self.pod = pod
        self.address = address
        publishNotReady = service["spec", "publishNotReadyAddresses"]?.bool == true
        let isMember = pod.json["spec", "subdomain"]?.string == service.name
        headlessName = isMember ? pod.json["spec", "hostname"]?.string : nil
        ports = (service["spec", "ports"]?.array ?? []).compactMap { port in
            let target = port["targetPort"] ?? port["port"] ?? .null
            guard let number = target.int ?? target.string.flatMap({ Self.containerPort($0, of: pod.json) }) else {
                return nil
            }
            return Self.port(port, number)
        }
    }

    static func port(_ port: JSONValue, _ number: Int) -> JSONValue {
        var result: JSONValue = ["port": JSONValue(number), "protocol": port["protocol"] ?? "TCP"]
        result["name"] = port["name"] ?? ""
        result["appProtocol"] = port["appProtocol"]
        return result
    }

    private static func containerPort(_ name: String, of pod: JSONValue) -> Int? {
        if let number = Int(name) { return number }
        for container in pod["spec", "containers"]?.array ?? [] {
            for port in container["ports"]?.array ?? [] where port["name"]?.string == name {
                return port["containerPort"]?.int
            }
        }
        return nil
    }

    var isReady: Bool { publishNotReady || (pod.isReady && !pod.json.isTerminating) }

    private var target: JSONValue {
        [
            "kind": "Pod", "name": .string(pod.json.name), "namespace": .string(pod.json.namespace ?? ""),
            "uid": .string(pod.json.uid),
        ]
    }

    var endpointAddress: JSONValue {
        var result: JSONValue = ["ip": .string(address), "targetRef": target]
        result["nodeName"] = JSONValue(pod.nodeName)
        result["hostname"] = JSONValue(headlessName)
        return result
    }

    var sliceEndpoint: JSONValue {
        var result: JSONValue = [
            "addresses": [.string(address)],
            "conditions": [
                "ready": .bool(isReady), "serving": .bool(publishNotReady || pod.isReady),
                "terminating": .bool(pod.json.isTerminating),
            ],
            "targetRef": target,
        ]
        result["nodeName"] = JSONValue(pod.nodeName)
        result["hostname"] = JSONValue(headlessName)
        return result
    }
}
