import JSON
import KubernetesModel

/// `spec.podFailurePolicy` of a Job: the first rule that matches a failed pod decides.
struct PodFailurePolicy: Sendable {
    enum Action: Sendable, Hashable {
        case failJob(message: String)
        case failIndex
        case ignore
        case count
    }

    private let rules: [JSONValue]

    init(_ policy: JSONValue?) { rules = policy?["rules"]?.array ?? [] }

    var isEmpty: Bool { rules.isEmpty }

    func action(for pod: PodFacts) -> Action {
        for (number, rule) in rules.enumerated() {
            let name = rule["action"]?.string ?? "Count"
            guard let cause = cause(of: rule, pod) else { continue }
            switch name {
            case "FailJob": return .failJob(message: "\(cause) matching FailJob rule at index \(number)")
            case "FailIndex": return .failIndex
            case "Ignore": return .ignore
            default: return .count
            }
        }
        return .count
    }

    /// What about the pod matches the rule; nil when nothing does.
    private func cause(of rule: JSONValue, _ pod: PodFacts) -> String? {
        let podName = pod.json.key.description
        if let codes = rule["onExitCodes"] {
            for status in pod.containerStatuses {
                guard let name = status["name"]?.string, let code = status["state", "terminated", "exitCode"]?.int,
                    code != 0, codes["containerName"]?.string.map({ $0 == name }) ?? true
                else { continue }
                let isListed = (codes["values"]?.array ?? []).contains { $0.int == code }
                if isListed == (codes["operator"]?.string != "NotIn") {
                    return "Container \(name) for pod \(podName) failed with exit code \(code)"
                }
            }
            return nil
        }
        for pattern in rule["onPodConditions"]?.array ?? [] {
            let type = pattern["type"]?.string ?? ""
            if pod.json.hasCondition(type, pattern["status"]?.string ?? "True") {
                return "Pod \(podName) has condition \(type)"
            }
        }
        return nil
    }
}
