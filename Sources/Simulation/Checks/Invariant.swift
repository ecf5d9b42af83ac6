import APIServerModel
import AssayCore
import JSON
import KubernetesModel

/// A state of the server, the write that led to it, and what was true before.
struct Moment {
    var server: APIServer
    var write: SimulatedServer.Write?
    /// Requests to the model reached a ready pod before the write.
    var wasServed: Bool
    /// What a run was worth; nil for one that has not ended well.
    var accuracy: (String) -> Double?
    /// A test has tried the revision, and ended well.
    var isAccepted: (String) -> Bool

    /// The write, where it is the operator's.
    var operatorWrite: SimulatedServer.Write? {
        guard let write, write.actor.hasPrefix("operator"), !write.call.isEvent, !write.call.isLease else { return nil }
        return write
    }

    /// What the write was about, before and after; nil where it changed nothing that was there.
    func change(of plurals: Set<String>) -> (before: JSONValue, after: JSONValue)? {
        guard let write, write.isAccepted, plurals.contains(write.call.plural), let before = write.before,
            let type = ResourceType.simulated.first(where: { $0.plural == write.call.plural }),
            let after = server.object(type, before.place), after.identity == before.identity
        else { return nil }
        return (before, after)
    }
}

/// What must be true of every state, or of every write: see `docs/simulation.md`.
struct Invariant: Sendable {
    /// The number in the design, `I1`.
    var name: String
    /// What is wrong; nil when it holds.
    var breach: @Sendable (Moment) -> String?

    static let all: [Invariant] = [
        Invariant(name: "I1", breach: oneLiveJob), Invariant(name: "I2", breach: onlyOurs),
        Invariant(name: "I3", breach: onlyWhatWasRead), Invariant(name: "I4", breach: onlyWhatPassed),
        Invariant(name: "I5", breach: servesOn), Invariant(name: "I6", breach: noFailedRevision),
        Invariant(name: "I7", breach: observedGeneration), Invariant(name: "I9", breach: attemptsRise),
        Invariant(name: "I10", breach: noSecret), Invariant(name: "I13", breach: oneNamespace),
        Invariant(name: "I16", breach: kstatus), Invariant(name: "I4", breach: onlyWhatPassedHasAShare),
    ]

    /// At most one live Job per TrainingJob: none is made while one of an earlier attempt lives. One that was given up may come
    /// late, when a later attempt lives already; that it does not stay is seen in the end.
    private static func oneLiveJob(_ moment: Moment) -> String? {
        guard let write = moment.operatorWrite, write.isAccepted, write.call.plural == "jobs",
            write.call.method == "POST"
        else { return nil }
        let live = moment.server.objects(.jobs).filter {
            $0.controllerUID != nil && !$0.isGoing && !$0.isConditionTrue("Complete") && !$0.isConditionTrue("Failed")
        }
        // The server gives versions in the order of the writes, and this was the last.
        let version = "\(moment.server.resourceVersion)"
        guard let made = live.first(where: { $0["metadata", "resourceVersion"]?.string == version }) else { return nil }
        let other = live.first { $0.controllerUID == made.controllerUID && attempt(of: $0) < attempt(of: made) }
        return other.map { "\(made.place) is made while \($0.place) lives" }
    }

    /// A Job's name ends with its attempt and a hash.
    private static func attempt(of job: JSONValue) -> Int {
        job.place.name.split(separator: "-").dropLast().last.flatMap { Int($0) } ?? 0
    }

    /// Nothing is touched whose owner is not ours, and of the model only the status.
    private static func onlyOurs(_ moment: Moment) -> String? {
        guard let write = moment.operatorWrite, write.isAccepted, let before = write.before else { return nil }
        if write.call.plural == "mlmodels" {
            return write.call.subresource == "status" ? nil : "\(write.call.description) touches the spec"
        }
        let owner = before.controller?["apiVersion"]?.string ?? ""
        if write.call.plural == "trainingjobs", write.call.subresource == "status" { return nil }
        return owner == MLModel.resourceType.apiVersion ? nil : "\(write.call.description) of somebody else's object"
    }

    /// Every change of what is there names the uid that was read, and every new status the version.
    private static func onlyWhatWasRead(_ moment: Moment) -> String? {
        guard let write = moment.operatorWrite, write.call.method != "POST" else { return nil }
        let body: JSONValue
        do { body = try JSONValue(parsing: write.request.body) } catch { return "a body that is no JSON" }
        let uid =
            write.call.method == "DELETE" ? body["preconditions", "uid"]?.string : body["metadata", "uid"]?.string
        guard let uid, !uid.isEmpty else { return "\(write.call.description) names no uid" }
        if write.call.subresource == "status", body["metadata", "resourceVersion"]?.string == nil {
            return "\(write.call.description) names no resource version"
        }
        return nil
    }

    /// Nothing serves that has not passed its gate: by the node's knowledge of what each run was worth, and of what tests of a
    /// candidate came to.
    private static func onlyWhatPassed(_ moment: Moment) -> String? {
        for service in moment.server.objects(.services) where service.controllerUID != nil {
            guard let deployment = moment.server.deployment(servedBy: service),
                let run = deployment["spec", "template"]?.run
            else { continue }
            guard let accuracy = moment.accuracy(run) else { return "\(run) serves and never ended well" }
            if accuracy < 0.93 { return "\(run) serves with an accuracy of \(accuracy)" }
            if let model = moment.server.object(.mlModels, service.place), model.identity == service.controllerUID,
                model["spec", "validation", "tests"] != nil,
                let revision = deployment.label(Label.revision), !moment.isAccepted(revision)
            {
                return "\(revision) serves and no test has accepted it"
            }
        }
        return nil
    }

    /// Nor does a gateway get the name of anything else, or of a revision that has failed.
    private static func onlyWhatPassedHasAShare(_ moment: Moment) -> String? {
        for model in moment.server.objects(.mlModels) {
            for share in model["status", "traffic"]?.array ?? [] where (share["weight"]?.int ?? 0) > 0 {
                let revision = share["revision"]?.string ?? ""
                let entry = (model["status", "revisions"]?.array ?? []).last { $0["name"]?.string == revision }
                if entry?["state"]?.string == "Failed" { return "the failed revision \(revision) has a share" }
                let child = moment.server.objects(.deployments).first {
                    $0.label(Label.revision) == revision && $0.place.namespace == model.place.namespace
                }
                guard let run = child?["spec", "template"]?.run else { continue }
                if moment.accuracy(run) ?? 0 < 0.93 { return "\(revision) has a share and has not passed" }
            }
        }
        return nil
    }

    /// No write of the operator's takes the model off the air.
    private static func servesOn(_ moment: Moment) -> String? {
        guard let write = moment.operatorWrite, write.isAccepted, moment.wasServed, !moment.server.isServed(Person.key)
        else {
            return nil
        }
        return "\(write.call.description) takes away what serves"
    }

    private static func noFailedRevision(_ moment: Moment) -> String? {
        for service in moment.server.objects(.services) {
            guard let revision = service["spec", "selector", Label.revision]?.string,
                let model = moment.server.object(.mlModels, service.place), model.identity == service.controllerUID
            else { continue }
            let entry = (model["status", "revisions"]?.array ?? []).last { $0["name"]?.string == revision }
            if entry?["state"]?.string == "Failed" { return "the failed revision \(revision) serves" }
        }
        return nil
    }

    private static func observedGeneration(_ moment: Moment) -> String? {
        guard let (before, after) = moment.change(of: ["mlmodels", "trainingjobs"]) else { return nil }
        let (old, new) = (
            before["status", "observedGeneration"]?.integer, after["status", "observedGeneration"]?.integer
        )
        if let old, new.map({ $0 < old }) ?? true { return "observedGeneration falls from \(old)" }
        if let new, new > after["metadata", "generation"]?.integer ?? 0 { return "observedGeneration \(new) is ahead" }
        return nil
    }

    private static func attemptsRise(_ moment: Moment) -> String? {
        guard let (before, after) = moment.change(of: ["mlmodels", "trainingjobs"]) else { return nil }
        for list in ["runs", "attempts"] {
            let old = (before["status", list]?.array ?? []).compactMap { $0["number"]?.int }
            let new = (after["status", list]?.array ?? []).compactMap { $0["number"]?.int }
            if let last = old.last, (new.last ?? 0) < last { return "\(list) fall from \(last)" }
            if zip(new, new.dropFirst()).contains(where: { $0 >= $1 }) { return "\(list) do not rise: \(new)" }
        }
        return nil
    }

    private static func noSecret(_ moment: Moment) -> String? {
        guard let write = moment.operatorWrite else { return nil }
        return write.request.body.contains(text: Array(Simulation.token.utf8))
            ? "\(write.call.description) tells a secret" : nil
    }

    private static func oneNamespace(_ moment: Moment) -> String? {
        guard let write = moment.operatorWrite, write.isAccepted, !write.isGatewayAccess else { return nil }
        guard let namespace = write.call.namespace, [ToyModel.namespace, ToyModel.neighbour].contains(namespace) else {
            return "\(write.call.description) in a namespace without a model"
        }
        guard write.call.method == "POST" else { return nil }
        do {
            guard let owner = try JSONValue(parsing: write.request.body).controllerUID else {
                return "\(write.call.description) names no owner"
            }
            let isElsewhere = [ResourceType.mlModels, .trainingJobs].contains { type in
                moment.server.objects(type).contains { $0.identity == owner && $0.place.namespace != namespace }
            }
            return isElsewhere ? "\(write.call.description) for an owner in another namespace" : nil
        } catch {
            return "a body that is no JSON"
        }
    }

    /// Never on the way and stuck at once, and never without a word on readiness.
    private static func kstatus(_ moment: Moment) -> String? {
        guard moment.operatorWrite != nil, let (_, after) = moment.change(of: ["mlmodels", "trainingjobs"]),
            after["status", "phase"] != nil
        else { return nil }
        if after.isConditionTrue("Reconciling"), after.isConditionTrue("Stalled") { return "reconciling and stalled" }
        let types = (after["status", "conditions"]?.array ?? []).compactMap { $0["type"]?.string }
        return types.contains("Ready") ? nil : "no Ready condition"
    }
}

extension SimulatedServer.Write {
    /// The one thing that the operator keeps beside the models: what it and the gateway know each other by.
    fileprivate var isGatewayAccess: Bool {
        call.plural == "secrets" && call.namespace == GatewayFleet.namespace
    }
}

extension [UInt8] {
    fileprivate func contains(text: [UInt8]) -> Bool {
        guard let first = text.first else { return true }
        return withUnsafeBufferPointer { bytes in
            bytes.indices.contains { index in
                bytes[index] == first && bytes[index...].starts(with: text)
            }
        }
    }
}

extension APIServer {
    /// The Deployment of the revision that a Service selects.
    func deployment(servedBy service: JSONValue) -> JSONValue? {
        guard let revision = service["spec", "selector", Label.revision]?.string else { return nil }
        let namespace = service.place.namespace
        return objects(.deployments).first {
            $0.label(Label.revision) == revision && $0.place.namespace == namespace && !$0.isGoing
        }
    }

    /// Whether requests to the model reach a pod that is ready and stays.
    func isServed(_ key: ObjectKey) -> Bool {
        guard let service = object(.services, key), service.controllerUID != nil, !service.isGoing else { return false }
        if service["spec", "selector"]?.object?.isEmpty ?? true {
            // They reach a gateway, which holds them where there is no pod.
            return object(.mlModels, key)?["status", "traffic"]?.array?.isEmpty == false
        }
        guard deployment(servedBy: service) != nil else { return false }
        let selector = service["spec", "selector"]?.object ?? [:]
        return objects(.pods).contains { pod in
            pod.place.namespace == key.namespace && !pod.isGoing && pod.isConditionTrue("Ready")
                && selector.allSatisfy { pod.label($0.key) == $0.value.string }
        }
    }
}
