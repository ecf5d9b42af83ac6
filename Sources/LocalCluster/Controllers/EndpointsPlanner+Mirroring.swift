import JSON
import KubernetesModel

extension EndpointsPlanner {
    static let mirroredBy = "endpointslicemirroring-controller.k8s.io"

    /// Slices of the endpoints that somebody has written for a Service without a selector, as Kubernetes mirrors them: who
    /// routes to Services reads nothing but slices.
    func planMirror(service: JSONValue, endpoints: JSONValue?, slices: [JSONValue]) -> ControllerPlan {
        var plan = ControllerPlan()
        let existing = slices.filter { $0.labels["endpointslice.kubernetes.io/managed-by"] == Self.mirroredBy }
        var unused = Set(existing.map(\.name))
        let isLeftOut = endpoints?.labels["endpointslice.kubernetes.io/skip-mirror"] == "true"
        if writesSlices, let endpoints, !isLeftOut, !endpoints.isTerminating {
            for (number, subset) in (endpoints["subsets"]?.array ?? []).enumerated() {
                let slice = Self.mirror(subset, of: endpoints, number: number)
                unused.remove(slice.name)
                guard let old = existing.first(where: { $0.name == slice.name }) else {
                    plan.actions.append(.create(.endpointSlices, slice, owner: service))
                    continue
                }
                if old["endpoints"] == slice["endpoints"], old["ports"] == slice["ports"] { continue }
                var changed = old
                changed["endpoints"] = slice["endpoints"]
                changed["ports"] = slice["ports"]
                plan.actions.append(.replace(.endpointSlices, changed))
            }
        }
        for old in existing where unused.contains(old.name) {
            plan.actions.append(.delete(.endpointSlices, old.key, uid: old.uid, .background))
        }
        return plan
    }

    private static func mirror(_ subset: JSONValue, of endpoints: JSONValue, number: Int) -> JSONValue {
        let suffix = TemplateHash.of(.string("\(endpoints.uid)/\(number)"), collisions: 0).suffix(5)
        var labels = endpoints.labels
        labels["kubernetes.io/service-name"] = endpoints.name
        labels["endpointslice.kubernetes.io/managed-by"] = mirroredBy
        var metadata: JSONValue = [
            "name": .string("\(endpoints.name)-\(suffix)"), "labels": JSONValue(labels),
            "ownerReferences": [.ownerReference(endpoints, .endpoints)],
        ]
        metadata["namespace"] = JSONValue(endpoints.namespace)
        let all = [("addresses", true), ("notReadyAddresses", false)].flatMap { field, isReady in
            (subset[field]?.array ?? []).map { mirror($0, isReady: isReady) }
        }
        let ports = (subset["ports"]?.array ?? []).map { port -> JSONValue in
            var port = port
            if port["name"] == nil { port["name"] = "" }
            return port
        }
        return [
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "metadata": metadata,
            "addressType": "IPv4", "endpoints": .array(all), "ports": .array(ports),
        ]
    }

    private static func mirror(_ address: JSONValue, isReady: Bool) -> JSONValue {
        var result: JSONValue = [
            "addresses": [address["ip"] ?? ""], "conditions": ["ready": .bool(isReady)],
        ]
        for field in ["hostname", "nodeName", "targetRef"] { result[field] = address[field] }
        return result
    }
}
