import JSON
import KubernetesModel

/// The controller of apps/v1 Deployments.
///
/// https://kubernetes.io/docs/concepts/workloads/controllers/deployment/
public struct DeploymentPlanner: Sendable {
    public init() {}

    /// - Parameters:
    ///   - replicaSets: those that the Deployment controls.
    ///   - pods: those that these ReplicaSets control.
    public func plan(
        deployment: JSONValue, replicaSets: [JSONValue], pods: [JSONValue], now: Timestamp
    ) -> ControllerPlan {
        var rollout = Rollout(deployment: deployment, replicaSets: replicaSets, pods: pods, now: now)
        rollout.decide()
        return rollout.plan
    }
}

enum DeploymentKeys {
    static let hash = "pod-template-hash"
    static let revision = "deployment.kubernetes.io/revision"
    static let desired = "deployment.kubernetes.io/desired-replicas"
    static let maximum = "deployment.kubernetes.io/max-replicas"
    static let lastApplied = "kubectl.kubernetes.io/last-applied-configuration"
    /// What a ReplicaSet has for itself and does not take over from its Deployment.
    static let own: Set<String> = [
        revision, desired, maximum, lastApplied, "deprecated.deployment.rollback.to",
        "deployment.kubernetes.io/revision-history",
    ]
}

/// One look at a Deployment.
struct Rollout {
    var deployment: JSONValue
    /// Whether the annotation of the revision is not yet what the API server has.
    private(set) var isRevisionNew = false
    let now: Timestamp
    var plan = ControllerPlan()
    /// Oldest first, as the planned scalings leave them.
    private(set) var replicaSets: [JSONValue]
    private let observedSets: [JSONValue]
    private let pods: [JSONValue]
    var conditions: ConditionList
    let replicas: Int
    let maxSurge: Int
    let maxUnavailable: Int
    private let isRecreate: Bool
    private var createdName: String?

    init(deployment: JSONValue, replicaSets: [JSONValue], pods: [JSONValue], now: Timestamp) {
        self.deployment = deployment
        self.now = now
        self.pods = pods
        self.replicaSets = replicaSets.sorted {
            ($0["metadata", "creationTimestamp"]?.string ?? "", $0.name)
                < ($1["metadata", "creationTimestamp"]?.string ?? "", $1.name)
        }
        observedSets = self.replicaSets
        conditions = ConditionList(deployment)
        replicas = deployment["spec", "replicas"]?.int ?? 1
        isRecreate = deployment["spec", "strategy", "type"]?.string == "Recreate"
        let rolling = deployment["spec", "strategy", "rollingUpdate"]
        let surge = Self.resolve(rolling?["maxSurge"] ?? "25%", of: replicas, roundingUp: true)
        let unavailable = Self.resolve(rolling?["maxUnavailable"] ?? "25%", of: replicas, roundingUp: false)
        maxSurge = isRecreate ? 0 : surge
        // Both 0 would never move; the API refuses it, but percentages may round to it.
        let resolved = surge == 0 && unavailable == 0 ? 1 : unavailable
        maxUnavailable = isRecreate ? replicas : min(resolved, replicas)
    }

    /// An absolute number or a percentage.
    static func resolve(_ value: JSONValue, of total: Int, roundingUp: Bool) -> Int {
        if let number = value.int { return max(0, number) }
        guard let text = value.string, text.hasSuffix("%"), let percent = Int(text.dropLast()) else { return 0 }
        return max(0, (total * percent + (roundingUp ? 99 : 0)) / 100)
    }

    private var isPaused: Bool { deployment["spec", "paused"]?.bool == true }

    /// The ReplicaSet of the present template.
    var newSet: JSONValue? {
        let wanted = Self.comparable(deployment["spec", "template"])
        return replicaSets.first { Self.comparable($0["spec", "template"]) == wanted }
    }

    var oldSets: [JSONValue] {
        let uid = newSet?.uid
        return replicaSets.filter { $0.uid != uid }
    }

    private static func comparable(_ template: JSONValue?) -> JSONValue {
        var template = template ?? [:]
        template["metadata", "labels", DeploymentKeys.hash] = nil
        if template["metadata", "labels"]?.object?.isEmpty == true { template["metadata", "labels"] = nil }
        template["metadata", "creationTimestamp"] = nil
        if template["metadata"]?.object?.isEmpty == true { template["metadata"] = nil }
        return template
    }

    mutating func decide() {
        if deployment.isTerminating {
            writeStatus()
            return
        }
        notePause()
        if isPaused {
            scaleAll()
        } else if isScaling {
            ensureNewSet()
            scaleAll()
        } else if isRecreate {
            recreate()
        } else {
            ensureNewSet()
            if createdName == nil { roll() }
        }
        if !isPaused { cleanUp() }
        writeStatus()
    }

    private mutating func notePause() {
        let reason = conditions["Progressing"]?["reason"]?.string
        if isPaused && reason != "DeploymentPaused" && reason != "ProgressDeadlineExceeded" {
            setProgressing("Unknown", "DeploymentPaused", "Deployment is paused")
        } else if !isPaused && reason == "DeploymentPaused" {
            setProgressing("Unknown", "DeploymentResumed", "Deployment is resumed")
        }
    }

    mutating func setProgressing(_ status: String, _ reason: String, _ message: String, touch: Bool = false) {
        conditions.set(
            "Progressing", status, reason: reason, message: message, now: now, extra: "lastUpdateTime", touch: touch)
    }

    // MARK: The new ReplicaSet

    private func revision(_ object: JSONValue) -> Int {
        object.annotations[DeploymentKeys.revision].flatMap { Int($0) } ?? 0
    }

    /// The new set exists, has the highest revision and the Deployment's annotations, and the Deployment its revision.
    private mutating func ensureNewSet() {
        let next = "\((oldSets.map(revision).max() ?? 0) + 1)"
        guard let newSet else {
            create(revision: next)
            setDeploymentRevision(next)
            return
        }
        var wanted = inheritedAnnotations
        let current = oldSets.isEmpty ? max(revision(newSet), 1) : max(revision(newSet), Int(next) ?? 1)
        wanted[DeploymentKeys.revision] = "\(current)"
        let missing = wanted.filter { newSet.annotations[$0.key] != $0.value }
        if !missing.isEmpty {
            patch(newSet, ["metadata": ["annotations": JSONValue(missing)]])
        }
        if conditions["Progressing"] == nil {
            setProgressing("True", "FoundNewReplicaSet", "Found new replica set \"\(newSet.name)\"")
        }
        setDeploymentRevision("\(current)")
    }

    private mutating func setDeploymentRevision(_ revision: String) {
        guard deployment.annotations[DeploymentKeys.revision] != revision else { return }
        // It goes with the status: written to the object itself it would be a new generation.
        deployment["metadata", "annotations", DeploymentKeys.revision] = .string(revision)
        isRevisionNew = true
    }

    private var inheritedAnnotations: [String: String] {
        deployment.annotations.filter { !DeploymentKeys.own.contains($0.key) }
    }

    private mutating func create(revision: String) {
        var template = deployment["spec", "template"] ?? [:]
        let hash = TemplateHash.of(template, collisions: deployment["status", "collisionCount"]?.int ?? 0)
        template["metadata", "labels", DeploymentKeys.hash] = .string(hash)
        var selector = deployment["spec", "selector"] ?? [:]
        selector["matchLabels", DeploymentKeys.hash] = .string(hash)
        let name = "\(deployment.name)-\(hash)"
        // Room for the first pods of the new set, by the same rule as later growth.
        let count = newSetSize(current: 0, total: replicaSets.reduce(0) { $0 + Self.size($1) })
        var annotations = inheritedAnnotations
        annotations[DeploymentKeys.revision] = revision
        annotations[DeploymentKeys.desired] = "\(replicas)"
        annotations[DeploymentKeys.maximum] = "\(replicas + maxSurge)"
        var spec: JSONValue = ["replicas": JSONValue(count), "selector": selector, "template": template]
        spec["minReadySeconds"] = deployment["spec", "minReadySeconds"]
        var metadata: JSONValue = [
            "name": .string(name), "labels": template["metadata", "labels"] ?? [:],
            "annotations": JSONValue(annotations),
            "ownerReferences": [.ownerReference(deployment, .deployments)],
        ]
        metadata["namespace"] = JSONValue(deployment.namespace)
        plan.actions.append(
            .create(
                .replicaSets,
                ["apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": metadata, "spec": spec], owner: deployment))
        if count > 0 {
            plan.event(deployment, "ScalingReplicaSet", "Scaled up replica set \(name) from 0 to \(count)")
        }
        setProgressing("True", "NewReplicaSetCreated", "Created new replica set \"\(name)\"", touch: true)
        createdName = name
    }

    // MARK: Scaling

    static func size(_ set: JSONValue) -> Int { set["spec", "replicas"]?.int ?? 0 }
    static func available(_ set: JSONValue) -> Int { set["status", "availableReplicas"]?.int ?? 0 }

    private func newSetSize(current: Int, total: Int) -> Int {
        if isRecreate { return replicas }
        let room = replicas + maxSurge - total
        return room <= 0 ? current : min(replicas, current + room)
    }

    /// Plans the new size of a set, and what it says about the Deployment's.
    private mutating func scale(_ set: JSONValue, to count: Int) {
        let annotations = [
            DeploymentKeys.desired: "\(replicas)", DeploymentKeys.maximum: "\(replicas + maxSurge)",
        ]
        let isChanged = annotations.contains { set.annotations[$0.key] != $0.value }
        let size = Self.size(set)
        if size == count && !isChanged { return }
        var change: JSONValue = ["metadata": ["annotations": JSONValue(annotations)]]
        if size != count { change["spec", "replicas"] = JSONValue(count) }
        patch(set, change)
        if size == count { return }
        plan.event(
            deployment, "ScalingReplicaSet",
            "Scaled \(count > size ? "up" : "down") replica set \(set.name) from \(size) to \(count)")
    }

    /// One patch per set and look: a second change would carry a resource version that is already old.
    private mutating func patch(_ set: JSONValue, _ change: JSONValue) {
        var patch = change
        patch["metadata", "resourceVersion"] = .string(set.resourceVersion)
        if let index = plan.actions.firstIndex(where: {
            if case .patch(.replicaSets, set.key, _) = $0 { true } else { false }
        }), case .patch(_, _, let earlier) = plan.actions[index] {
            plan.actions[index] = .patch(.replicaSets, set.key, earlier.merging(patch: patch))
        } else {
            plan.actions.append(.patch(.replicaSets, set.key, patch))
        }
        guard let index = replicaSets.firstIndex(where: { $0.uid == set.uid }) else { return }
        replicaSets[index] = replicaSets[index].merging(patch: change)
    }

    /// Whether `spec.replicas` was changed since the sets were last scaled.
    private var isScaling: Bool {
        replicaSets.contains { set in
            guard Self.size(set) > 0, let desired = set.annotations[DeploymentKeys.desired] else { return false }
            return Int(desired) != replicas
        }
    }

    /// Follows a change of `spec.replicas`: the only active set takes it all; in the middle of a rollout each takes
    /// its share, the largest first.
    private mutating func scaleAll() {
        let active = replicaSets.filter { Self.size($0) > 0 }
        if active.count <= 1 {
            if let only = active.first ?? newSet ?? replicaSets.last { scale(only, to: replicas) }
            return
        }
        if let newSet, Self.available(newSet) >= replicas, Self.size(newSet) == replicas {
            for old in oldSets where Self.size(old) > 0 { scale(old, to: 0) }
            return
        }
        let total = active.reduce(0) { $0 + Self.size($1) }
        let allowed = replicas > 0 ? replicas + maxSurge : 0
        var left = allowed - total
        if left == 0 {
            for set in active { scale(set, to: Self.size(set)) }
            return
        }
        let sorted = active.sorted { (Self.size($0), $0.name) > (Self.size($1), $1.name) }
        var sizes = sorted.map { Self.size($0) }
        for (index, set) in sorted.enumerated() {
            let before = max(1, set.annotations[DeploymentKeys.maximum].flatMap { Int($0) } ?? total)
            let share = (Self.size(set) * allowed + before / 2) / before - Self.size(set)
            let step = left > 0 ? min(max(share, 0), left) : max(min(share, 0), left)
            sizes[index] = max(0, sizes[index] + step)
            left -= step
        }
        sizes[0] = max(0, sizes[0] + left)
        for (set, size) in zip(sorted, sizes) { scale(set, to: size) }
    }

    // MARK: Strategies

    /// Old pods stop, and only when none is left do new ones start.
    private mutating func recreate() {
        let old = oldSets
        let running = old.filter { Self.size($0) > 0 }
        for set in running { scale(set, to: 0) }
        let oldUIDs = Set(old.map(\.uid))
        let oldPods = pods.contains { pod in
            let owner = pod.controllerReference?["uid"]?.string ?? ""
            return oldUIDs.contains(owner) && !PodFacts(pod).isFinished
        }
        if !running.isEmpty || oldPods { return }
        ensureNewSet()
        if let newSet { scale(newSet, to: replicas) }
    }

    private mutating func roll() {
        guard let newSet else { return }
        let total = replicaSets.reduce(0) { $0 + Self.size($1) }
        let size = Self.size(newSet)
        let wanted = size > replicas ? replicas : newSetSize(current: size, total: total)
        if wanted != size {
            scale(newSet, to: wanted)
            return
        }
        scale(newSet, to: size)
        scaleDownOld(newSet)
    }

    private mutating func scaleDownOld(_ newSet: JSONValue) {
        let old = oldSets.filter { Self.size($0) > 0 }
        if old.isEmpty { return }
        let total = replicaSets.reduce(0) { $0 + Self.size($1) }
        let minimum = replicas - maxUnavailable
        let newUnavailable = max(0, Self.size(newSet) - Self.available(newSet))
        var budget = total - minimum - newUnavailable
        if budget <= 0 { return }
        // First what does not serve anyway.
        for set in old {
            let unhealthy = max(0, Self.size(set) - Self.available(set))
            let step = min(budget, unhealthy)
            if step <= 0 { continue }
            scale(set, to: Self.size(set) - step)
            budget -= step
        }
        let availableTotal = replicaSets.reduce(0) { $0 + min(Self.available($1), Self.size($1)) }
        var spare = availableTotal - minimum
        for set in oldSets where spare > 0 && Self.size(set) > 0 {
            let step = min(spare, Self.size(set))
            scale(set, to: Self.size(set) - step)
            spare -= step
        }
    }

    /// Deletes the oldest empty sets beyond the history limit.
    private mutating func cleanUp() {
        let limit = deployment["spec", "revisionHistoryLimit"]?.int ?? 10
        let empty = oldSets.filter {
            Self.size($0) == 0 && ($0["status", "replicas"]?.int ?? 0) == 0 && !$0.isTerminating
        }
        for set in empty.sorted(by: { revision($0) < revision($1) }).prefix(max(0, empty.count - limit)) {
            plan.actions.append(.delete(.replicaSets, set.key, uid: set.uid, .background))
        }
    }
}
