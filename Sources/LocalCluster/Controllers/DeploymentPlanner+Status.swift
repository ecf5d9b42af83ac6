import JSON
import KubernetesModel

extension Rollout {
    private func sum(_ sets: [JSONValue], _ field: String) -> Int {
        sets.reduce(0) { $0 + ($1["status", field]?.int ?? 0) }
    }

    mutating func writeStatus() {
        let new = newSet.map { [$0] } ?? []
        let total = sum(replicaSets, "replicas")
        let updated = sum(new, "replicas")
        let available = sum(replicaSets, "availableReplicas")
        noteAvailability(available)
        noteProgress(total: total, updated: updated, available: available)
        if let failure = replicaSets.compactMap({ $0.condition("ReplicaFailure") }).last {
            conditions.set(
                "ReplicaFailure", failure["status"]?.string ?? "True", reason: failure["reason"]?.string ?? "",
                message: failure["message"]?.string ?? "", now: now, extra: "lastUpdateTime")
        } else {
            conditions.remove("ReplicaFailure")
        }
        func count(_ value: Int) -> JSONValue? { value == 0 ? nil : JSONValue(value) }
        var status = deployment["status"]?.object ?? [:]
        status["observedGeneration"] = .integer(deployment.generation)
        status["replicas"] = count(total)
        status["updatedReplicas"] = count(updated)
        status["readyReplicas"] = count(sum(replicaSets, "readyReplicas"))
        status["availableReplicas"] = count(available)
        status["unavailableReplicas"] = count(max(0, max(total, replicas) - available))
        status["conditions"] = conditions.conditions.isEmpty ? nil : .array(conditions.conditions)
        guard isRevisionNew || .object(status) != deployment["status"] else { return }
        var changed = deployment
        changed["status"] = .object(status)
        plan.actions.append(.replaceStatus(.deployments, changed))
    }

    private mutating func noteAvailability(_ available: Int) {
        let isAvailable = available >= replicas - maxUnavailable
        conditions.set(
            "Available", isAvailable ? "True" : "False",
            reason: isAvailable ? "MinimumReplicasAvailable" : "MinimumReplicasUnavailable",
            message: isAvailable
                ? "Deployment has minimum availability." : "Deployment does not have minimum availability.",
            now: now, extra: "lastUpdateTime")
    }

    private mutating func noteProgress(total: Int, updated: Int, available: Int) {
        let reason = conditions["Progressing"]?["reason"]?.string
        guard deployment["spec", "paused"]?.bool != true,
            let deadline = deployment["spec", "progressDeadlineSeconds"]?.int,
            deadline < Int(Int32.max), let newSet
        else { return }
        let old = deployment["status"]
        let isComplete =
            updated == replicas && total == replicas && available == replicas
            && newSet["status", "observedGeneration"]?.integer == newSet.generation
        if isComplete {
            setProgressing(
                "True", "NewReplicaSetAvailable", "ReplicaSet \"\(newSet.name)\" has successfully progressed.")
            return
        }
        // A finished rollout does not run out of time when its pods fail later.
        if reason == "NewReplicaSetAvailable" && Self.size(newSet) == replicas
            && oldSets.allSatisfy({ Self.size($0) == 0 })
        {
            return
        }
        func before(_ field: String) -> Int { old?[field]?.int ?? 0 }
        let oldTotal = before("replicas") - before("updatedReplicas")
        let hasProgressed =
            updated > before("updatedReplicas") || total - updated < oldTotal
            || sum(replicaSets, "readyReplicas") > before("readyReplicas") || available > before("availableReplicas")
        if hasProgressed {
            setProgressing(
                "True", "ReplicaSetUpdated", "ReplicaSet \"\(newSet.name)\" is progressing.", touch: true)
        } else if reason == nil || reason == "NewReplicaSetAvailable" {
            setProgressing("True", "ReplicaSetUpdated", "ReplicaSet \"\(newSet.name)\" is progressing.", touch: true)
        }
        checkDeadline(deadline, newSet)
    }

    private mutating func checkDeadline(_ deadline: Int, _ newSet: JSONValue) {
        guard let condition = conditions["Progressing"], condition["reason"]?.string != "ProgressDeadlineExceeded",
            let since = (condition["lastUpdateTime"] ?? condition["lastTransitionTime"])?.timestamp
        else { return }
        let remaining = since + .seconds(deadline) - now
        if remaining > .zero {
            plan.requeue(after: remaining)
        } else {
            setProgressing(
                "False", "ProgressDeadlineExceeded", "ReplicaSet \"\(newSet.name)\" has timed out progressing.")
        }
    }
}

/// The hash by which pods and ReplicaSets of one template are told apart.
enum TemplateHash {
    /// FNV-1a over the canonical form, in the alphabet that Kubernetes uses for names (no vowels, so no words).
    static func of(_ template: JSONValue, collisions: Int) -> String {
        var hash: UInt32 = 2_166_136_261
        for byte in template.serialized().utf8 { hash = (hash ^ UInt32(byte)) &* 16_777_619 }
        if collisions > 0 { for byte in "\(collisions)".utf8 { hash = (hash ^ UInt32(byte)) &* 16_777_619 } }
        return safe("\(hash)")
    }

    static func safe(_ digits: String) -> String {
        let alphabet = Array("bcdfghjklmnpqrstvwxz2456789")
        return String(digits.utf8.map { alphabet[Int($0) % alphabet.count] })
    }
}
