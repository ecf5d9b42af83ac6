import JSON
import KubernetesModel

extension APIServer {
    /// Refuses what would exceed a ResourceQuota of the namespace.
    mutating func admitQuota(_ json: JSONValue, _ request: ResourceRequest) throws(APIFailure) {
        guard let namespace = request.namespace, request.type.isNamespaced else { return }
        let quotas = entries(.resourceQuotas, namespace: namespace)
        guard !quotas.isEmpty else { return }
        let asked = QuotaUsage.of(json, request.type)
        let name = json["metadata", "name"]?.string ?? ""
        for quota in quotas {
            let hard = quota.json["spec", "hard"]?.object ?? [:]
            let limited = hard.members.filter { asked[$0.key] != nil }
            if limited.isEmpty { continue }
            let used = usage(in: namespace, of: Set(hard.keys))
            for member in hard.members where request.type == .pods {
                guard QuotaUsage.mustBeStated.contains(member.key), asked[member.key] == nil else { continue }
                throw .forbidden(
                    request.type, name,
                    "failed quota: \(quota.name): must specify \(member.key) for: "
                        + (json["spec", "containers"]?.array ?? []).compactMap { $0["name"]?.string }
                        .joined(separator: ","))
            }
            let exceeded = limited.filter { member in
                let total = (used[member.key] ?? .zero) + (asked[member.key] ?? .zero)
                return total > QuotaUsage.quantity(member.value)
            }
            guard !exceeded.isEmpty else { continue }
            func list(_ value: (String) -> String) -> String {
                exceeded.map { "\($0.key)=\(value($0.key))" }.joined(separator: ",")
            }
            throw .forbidden(
                request.type, name,
                "exceeded quota: \(quota.name), requested: \(list { (asked[$0] ?? .zero).description }), "
                    + "used: \(list { (used[$0] ?? .zero).description }), "
                    + "limited: \(list { QuotaUsage.quantity(hard[$0] ?? .null).description })")
        }
    }

    /// What the objects of a namespace use of what a quota names.
    func usage(in namespace: String, of names: Set<String>) -> [String: Quantity] {
        var total: [String: Quantity] = [:]
        for resource in registry.stored
        where resource.type.isNamespaced && !QuotaUsage.names(of: resource.type).isDisjoint(with: names) {
            for entry in storages[resource.storageKey]?.entries(namespace: namespace) ?? [] {
                for (name, amount) in QuotaUsage.of(entry.json, resource.type) {
                    total[name] = (total[name] ?? .zero) + amount
                }
            }
        }
        return total
    }

    /// Writes what is used into the quotas' status, as the quota controller does.
    mutating func refreshQuotas() {
        guard let resource = registry[type: .resourceQuotas], resourceVersion != quotaRevision else { return }
        defer { quotaRevision = resourceVersion }
        for quota in entries(.resourceQuotas) where !quota.isBeingDeleted {
            let hard = quota.json["spec", "hard"]?.object ?? [:]
            let used = usage(in: quota.namespace ?? "", of: Set(hard.keys))
            var json = quota.json
            json["status"] = [
                "hard": .object(hard),
                "used": .object(JSONObject(hard.map { ($0.key, .string((used[$0.key] ?? .zero).description)) })),
            ]
            _ = commit(json, over: quota, resource)
        }
    }
}

/// What one object counts for in a quota.
enum QuotaUsage {
    /// A pod under a quota of these must say how much it needs.
    static let mustBeStated = ["requests.cpu", "requests.memory", "limits.cpu", "limits.memory", "cpu", "memory"]

    /// All names that an object of a type can count for.
    static func names(of type: ResourceType) -> Set<String> {
        let count = "count/\(type)"
        switch type {
        case .pods: return Set(mustBeStated + [count, "pods"])
        case .services, .secrets, .configMaps, .persistentVolumeClaims, .resourceQuotas: return [count, type.plural]
        default: return [count]
        }
    }

    static func of(_ json: JSONValue, _ type: ResourceType) -> [String: Quantity] {
        var result: [String: Quantity] = ["count/\(type)": Quantity(1)]
        switch type {
        case .pods:
            // Pods that have ended use nothing.
            if ["Succeeded", "Failed"].contains(json["status", "phase"]?.string ?? "") { return result }
            result["pods"] = Quantity(1)
            for kind in ["requests", "limits"] {
                for resource in ["cpu", "memory"] {
                    guard let amount = amount(json["spec"] ?? [:], kind, resource) else { continue }
                    result["\(kind).\(resource)"] = amount
                    if kind == "requests" { result[resource] = amount }
                }
            }
        case .services, .secrets, .configMaps, .persistentVolumeClaims, .resourceQuotas:
            result[type.plural] = Quantity(1)
        default: break
        }
        return result
    }

    /// The sum over the containers, or the largest init container where that is more; nil when nothing is said.
    private static func amount(_ spec: JSONValue, _ kind: String, _ resource: String) -> Quantity? {
        func amounts(_ field: String) -> [Quantity] {
            (spec[field]?.array ?? []).compactMap {
                let value = $0["resources", kind, resource] ?? $0["resources", "limits", resource]
                return value.map(quantity)
            }
        }
        let main = amounts("containers")
        let first = amounts("initContainers")
        if main.isEmpty, first.isEmpty { return nil }
        return max(main.reduce(.zero, +), first.max() ?? .zero)
    }

    static func quantity(_ json: JSONValue) -> Quantity {
        if let integer = json.integer { return Quantity(integer) }
        do {
            return try Quantity(json.string ?? "0")
        } catch {
            return .zero
        }
    }
}
