import JSON
import KubernetesModel

/// A scheduler of one rule: the first node by free room that is ready, is selected and where the pod fits.
public struct Scheduler: Sendable {
    public static let name = "default-scheduler"
    /// A node whose pods share the host's network sets this annotation to `host`; there each container port can be had
    /// once.
    public static let networkAnnotation = "assay.dev/network"

    public enum Decision: Sendable, Hashable {
        case bind(node: String)
        case unschedulable(message: String)
        /// Not this scheduler's, or not to be scheduled now.
        case leave
    }

    public init() {}

    /// - Parameters:
    ///   - pods: all pods of the cluster, with those that were bound lately counted as bound.
    ///   - claims: the namespace's claims by name.
    public func decide(pod: JSONValue, nodes: [JSONValue], pods: [JSONValue], claims: [String: JSONValue]) -> Decision {
        let facts = PodFacts(pod)
        guard facts.nodeName == nil, facts.isActive else { return .leave }
        guard pod["spec", "schedulerName"]?.string ?? Self.name == Self.name else { return .leave }
        guard (pod["spec", "schedulingGates"]?.array ?? []).isEmpty else { return .leave }
        if let problem = claimProblem(pod, claims) {
            return .unschedulable(message: "0/\(nodes.count) nodes are available: \(problem).")
        }
        var best: (node: String, free: Int)?
        var problems: [String: Int] = [:]
        for node in nodes.sorted(by: { $0.name < $1.name }) {
            let running = pods.filter {
                $0["spec", "nodeName"]?.string == node.name && !PodFacts($0).isFinished
            }
            let found = self.problems(of: pod, on: node, with: running)
            if found.isEmpty {
                let free = (node["status", "allocatable"]?["pods"]?.quantity?.value).map { Int($0) } ?? 110
                if best.map({ free - running.count > $0.free }) ?? true { best = (node.name, free - running.count) }
            }
            for problem in found { problems[problem, default: 0] += 1 }
        }
        if let best { return .bind(node: best.node) }
        if nodes.isEmpty { return .unschedulable(message: "no nodes available to schedule pods") }
        let list = problems.map { "\($0.value) \($0.key)" }.sorted().joined(separator: ", ")
        return .unschedulable(message: "0/\(nodes.count) nodes are available: \(list).")
    }

    private func claimProblem(_ pod: JSONValue, _ claims: [String: JSONValue]) -> String? {
        for volume in pod["spec", "volumes"]?.array ?? [] {
            guard let name = volume["persistentVolumeClaim", "claimName"]?.string else { continue }
            guard let claim = claims[name] else { return "persistentvolumeclaim \"\(name)\" not found" }
            if claim.isTerminating { return "persistentvolumeclaim \"\(name)\" is being deleted" }
            if claim["status", "phase"]?.string != "Bound" { return "pod has unbound immediate PersistentVolumeClaims" }
        }
        return nil
    }

    /// Why the pod cannot run there, in the words of Kubernetes' scheduler.
    private func problems(of pod: JSONValue, on node: JSONValue, with running: [JSONValue]) -> [String] {
        if node["spec", "unschedulable"]?.bool == true { return ["node(s) were unschedulable"] }
        if !node.hasCondition("Ready") { return ["node(s) had untolerated taint {node.kubernetes.io/not-ready: }"] }
        if let taint = untolerated(pod, node) { return ["node(s) had untolerated taint {\(taint)}"] }
        let selector = pod["spec", "nodeSelector"]?.stringMap ?? [:]
        if !selector.allSatisfy({ node.labels[$0.key] == $0.value }) {
            return ["node(s) didn't match Pod's node affinity/selector"]
        }
        let takesHostPorts = node.annotations[Self.networkAnnotation] == "host"
        let taken = Set(running.flatMap { Self.ports($0, all: takesHostPorts) })
        let wanted = Self.ports(pod, all: takesHostPorts)
        if !taken.isDisjoint(with: wanted) {
            return ["node(s) didn't have free ports for the requested pod ports"]
        }
        return insufficient(pod, node, running)
    }

    private func insufficient(_ pod: JSONValue, _ node: JSONValue, _ running: [JSONValue]) -> [String] {
        let allocatable = node["status", "allocatable"]?.object ?? [:]
        var used: [String: Quantity] = [:]
        for other in running { used.merge(Self.requests(other)) { $0 + $1 } }
        var problems: [String] = []
        if let limit = allocatable["pods"]?.quantity, limit < Quantity(Int64(running.count + 1)) {
            problems.append("Too many pods")
        }
        for (name, wanted) in Self.requests(pod).sorted(by: { $0.key < $1.key }) where !wanted.isZero {
            let total = allocatable[name]?.quantity ?? .zero
            if total < (used[name] ?? .zero) + wanted { problems.append("Insufficient \(name)") }
        }
        return problems
    }

    private func untolerated(_ pod: JSONValue, _ node: JSONValue) -> String? {
        let tolerations = pod["spec", "tolerations"]?.array ?? []
        for taint in node["spec", "taints"]?.array ?? [] where taint["effect"]?.string != "PreferNoSchedule" {
            let isTolerated = tolerations.contains { toleration in
                let key = toleration["key"]?.string ?? ""
                let effect = toleration["effect"]?.string ?? ""
                let exists = toleration["operator"]?.string == "Exists"
                return (key == taint["key"]?.string || (key.isEmpty && exists))
                    && (effect.isEmpty || effect == taint["effect"]?.string)
                    && (exists || toleration["value"]?.string ?? "" == taint["value"]?.string ?? "")
            }
            if !isTolerated { return "\(taint["key"]?.string ?? ""): \(taint["value"]?.string ?? "")" }
        }
        return nil
    }

    /// What a pod asks for: the sum of its containers, or the largest init container if that is more, and overhead.
    /// Init containers that restart always run beside the others and count with them.
    static func requests(_ pod: JSONValue) -> [String: Quantity] {
        func requests(_ container: JSONValue) -> [String: Quantity] {
            var result: [String: Quantity] = [:]
            let resources = container["resources"]
            for (name, value) in resources?["limits"]?.object ?? [:] { result[name] = value.quantity }
            for (name, value) in resources?["requests"]?.object ?? [:] { result[name] = value.quantity }
            return result
        }
        var sum: [String: Quantity] = [:]
        for container in pod["spec", "containers"]?.array ?? [] { sum.merge(requests(container)) { $0 + $1 } }
        var sidecars: [String: Quantity] = [:]
        var peak: [String: Quantity] = [:]
        for container in pod["spec", "initContainers"]?.array ?? [] {
            if container["restartPolicy"]?.string == "Always" {
                sidecars.merge(requests(container)) { $0 + $1 }
            } else {
                let now = requests(container).merging(sidecars) { $0 + $1 }
                peak.merge(now) { max($0, $1) }
            }
        }
        sum.merge(sidecars) { $0 + $1 }
        sum.merge(peak) { max($0, $1) }
        for (name, value) in pod["spec", "overhead"]?.object ?? [:] {
            if let quantity = value.quantity { sum[name] = (sum[name] ?? .zero) + quantity }
        }
        return sum
    }

    /// Host ports; with `all`, or on the host's network, container ports too.
    static func ports(_ pod: JSONValue, all: Bool) -> Set<String> {
        let isOnHost = all || pod["spec", "hostNetwork"]?.bool == true
        var result: Set<String> = []
        for container in pod["spec", "containers"]?.array ?? [] {
            for port in container["ports"]?.array ?? [] {
                let host = port["hostPort"]?.int ?? 0
                guard let number = host != 0 ? host : isOnHost ? port["containerPort"]?.int : nil else { continue }
                result.insert("\(port["protocol"]?.string ?? "TCP")/\(number)")
            }
        }
        return result
    }
}

extension JSONValue {
    var quantity: Quantity? {
        guard let text = string ?? integer.map({ String($0) }) else { return nil }
        do { return try Quantity(text) } catch { return nil }
    }
}
