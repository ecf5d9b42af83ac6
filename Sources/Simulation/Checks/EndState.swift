import APIServerModel
import AssayCore
import JSON
import KubernetesModel

/// What is left when everything is at rest, in words that do not depend on times, uids or chance.
public struct EndState: Sendable, Hashable, CustomStringConvertible {
    public var description: String

    /// - Parameter isPatient: people waited between their acts, so that the history is known too.
    init(_ server: APIServer, isPatient: Bool, accuracy: (String) -> Double?) {
        var lines: [String] = []
        for model in server.objects(.mlModels) where model.isInStory {
            lines.append("model \(Self.text(model, isPatient: isPatient))")
            if isPatient { lines += Self.history(model) }
        }
        for service in server.objects(.services) where service.place == Person.key {
            let run = server.deployment(servedBy: service)?["spec", "template"]?.run
            let ours = service.controllerUID == nil ? "somebody's" : "ours"
            lines.append("service \(ours) selecting \(service["spec", "selector"]?.object?.count ?? 0) labels")
            if let run { lines.append("serves \(accuracy(run).map { "\($0)" } ?? "nothing that ended well")") }
        }
        for deployment in server.objects(.deployments) where deployment.isInStory {
            // What rests to be gone back to has served; whether anything did, in haste is chance.
            if !isPatient, deployment["spec", "replicas"] == 0, !server.isServing(deployment) { continue }
            lines.append(
                "deployment of \(deployment["spec", "replicas"]?.int ?? -1), available "
                    + "\(deployment["status", "availableReplicas"]?.int ?? 0)")
        }
        if isPatient {
            lines.append(
                "\(server.objects(.trainingJobs).count(where: \.isInStory)) trainingjobs, "
                    + "\(server.objects(.jobs).count(where: \.isInStory)) jobs")
        }
        let unowned = Self.orphans(server)
        if unowned > 0 { lines.append("\(unowned) orphans") }
        description = lines.joined(separator: "\n")
    }

    private static func text(_ model: JSONValue, isPatient: Bool) -> String {
        let status = model["status"]
        let conditions = (status?["conditions"]?.array ?? []).map {
            "\($0["type"]?.string ?? "")=\($0["status"]?.string ?? "")"
                + (isPatient ? ":\($0["reason"]?.string ?? "")" : "")
        }.sorted()
        let isObserved = status?["observedGeneration"]?.integer == model["metadata", "generation"]?.integer
        return "\(status?["phase"]?.string ?? "-"), observed \(isObserved), \(conditions.joined(separator: " "))"
    }

    private static func history(_ model: JSONValue) -> [String] {
        let runs = (model["status", "runs"]?.array ?? []).map {
            "run \($0["number"]?.int ?? 0) \($0["phase"]?.string ?? "") \($0["judgement"]?.string ?? "-")"
        }
        let revisions = (model["status", "revisions"]?.array ?? []).map {
            "revision of run \($0["run"]?.int ?? 0) \($0["state"]?.string ?? "")"
        }
        return runs + revisions
    }

    /// Objects whose controller is no more.
    private static func orphans(_ server: APIServer) -> Int {
        var uids: Set<String> = []
        for type in ResourceType.simulated { for object in server.objects(type) { uids.insert(object.identity) } }
        var count = 0
        for type in ResourceType.simulated {
            count += server.objects(type).count { object in object.controllerUID.map { !uids.contains($0) } ?? false }
        }
        return count
    }
}

extension APIServer {
    /// Whether its revision is the one that a model's status tells of.
    fileprivate func isServing(_ deployment: JSONValue) -> Bool {
        let revision = deployment.label(Label.revision)
        return revision != nil
            && objects(.mlModels).contains {
                $0.place.namespace == deployment.place.namespace && $0["status", "revision"]?.string == revision
            }
    }
}
