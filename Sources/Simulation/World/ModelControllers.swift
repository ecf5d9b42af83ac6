import APIServerModel
import Concurrency
import JSON
import KubernetesModel
import LocalCluster

/// What kube-controller-manager is to a cluster, for Jobs, ReplicaSets and Deployments, and the garbage collector: the
/// local cluster's planners, each a moment after something changed.
final class ModelControllers: Sendable {
    private enum Kind: String, CaseIterable, Sendable {
        case jobs, replicaSets, deployments, garbage

        var type: ResourceType {
            switch self {
            case .jobs: .jobs
            case .replicaSets: .replicaSets
            case .deployments, .garbage: .deployments
            }
        }
    }

    private let server: SimulatedServer
    private let time: SimulatedTime
    private let latency: Latency
    private let scheduled = Locked<Set<Kind>>([])

    init(server: SimulatedServer, time: SimulatedTime, latency: Latency) {
        self.server = server
        self.time = time
        self.latency = latency
        server.onChange { [weak self] in self?.changed() }
    }

    private func changed() {
        for kind in Kind.allCases where scheduled.withLock({ $0.insert(kind).inserted }) {
            time.alarm(after: latency.next(kind == .garbage ? 100...4000 : 20...800)) { [weak self] in
                guard let self else { return }
                scheduled.withLock { _ = $0.remove(kind) }
                look(kind)
            }
        }
    }

    private func look(_ kind: Kind) {
        if kind == .garbage { return server.tick() }
        let snapshot = server.snapshot
        let objects = snapshot.objects(kind.type)
        if objects.isEmpty { return }
        let children = Children(snapshot)
        var requeue: Duration?
        for object in objects {
            let plan = plan(kind, object, children)
            for action in plan.actions { carryOut(action, by: kind.rawValue) }
            if let after = plan.requeueAfter { requeue = min(requeue ?? after, after) }
        }
        guard let requeue else { return }
        time.alarm(after: requeue) { [weak self] in self?.look(kind) }
    }

    private func plan(_ kind: Kind, _ object: JSONValue, _ children: Children) -> ControllerPlan {
        let now = server.now
        switch kind {
        case .jobs: return JobPlanner().plan(job: object, pods: children.pods(of: object), now: now)
        case .replicaSets:
            return ReplicaSetPlanner().plan(
                replicaSet: object, pods: children.pods(of: object), createFailure: nil, now: now)
        case .deployments:
            let sets = children.replicaSets(of: object)
            return DeploymentPlanner().plan(
                deployment: object, replicaSets: sets, pods: sets.flatMap(children.pods), now: now)
        case .garbage: return ControllerPlan()
        }
    }

    private func carryOut(_ action: ControllerAction, by actor: String) {
        switch action {
        case .create(let type, let object, _):
            send("POST", type.path(namespace: object.place.namespace), object, actor)
        case .delete(let type, let key, let uid, let how):
            var options: JSONValue = ["preconditions": ["uid": .string(uid)], "propagationPolicy": "Background"]
            if how == .immediate { options["gracePeriodSeconds"] = 0 }
            send("DELETE", type.path(namespace: key.namespace, name: key.name), options, actor)
        case .patch(let type, let key, let patch):
            send(
                "PATCH", type.path(namespace: key.namespace, name: key.name), patch, actor,
                "application/merge-patch+json")
        case .replaceStatus(let type, let object):
            let key = object.place
            send("PUT", type.path(namespace: key.namespace, name: key.name, subresource: "status"), object, actor)
        case .replace(let type, let object):
            let key = object.place
            send("PUT", type.path(namespace: key.namespace, name: key.name), object, actor)
        case .event: break
        }
    }

    private func send(
        _ method: String, _ path: String, _ body: JSONValue, _ actor: String, _ type: String = "application/json"
    ) {
        let request = APIRequest(
            method: method, target: path, headers: ["content-type": type], body: body.serializedBytes(), user: .admin)
        server.handle(request, by: actor)
    }
}

/// Who controls what, in one state of the server.
struct Children {
    private var podsByOwner: [String: [JSONValue]] = [:]
    private var setsByOwner: [String: [JSONValue]] = [:]

    init(_ server: APIServer) {
        for pod in server.objects(.pods) {
            if let owner = pod.controllerUID { podsByOwner[owner, default: []].append(pod) }
        }
        for set in server.objects(.replicaSets) {
            if let owner = set.controllerUID { setsByOwner[owner, default: []].append(set) }
        }
    }

    func pods(of owner: JSONValue) -> [JSONValue] { podsByOwner[owner.identity] ?? [] }
    func replicaSets(of owner: JSONValue) -> [JSONValue] { setsByOwner[owner.identity] ?? [] }
}

extension JSONValue {
    var place: ObjectKey {
        ObjectKey(
            namespace: self["metadata", "namespace"]?.string, name: self["metadata", "name"]?.string ?? "")
    }
    var identity: String { self["metadata", "uid"]?.string ?? "" }
    var isGoing: Bool { self["metadata", "deletionTimestamp"]?.string != nil }
    var controller: JSONValue? {
        self["metadata", "ownerReferences"]?.array?.first { $0["controller"]?.bool == true }
    }
    var controllerUID: String? { controller?["uid"]?.string }
    func label(_ name: String) -> String? { self["metadata", "labels", name]?.string }
    func isConditionTrue(_ type: String) -> Bool {
        self["status", "conditions"]?.array?.contains { $0["type"]?.string == type && $0["status"]?.string == "True" }
            ?? false
    }
}
