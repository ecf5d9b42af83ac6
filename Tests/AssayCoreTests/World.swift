import JSON
import KubernetesModel
import Schedule

@testable import AssayCore

/// A cluster as far as plans need one: it executes them, and plays what other controllers do.
struct World {
    struct Conflict: Error {}

    static let namespace = "ml"
    var objects: [ResourceType: [String: JSONValue]] = [:]
    var now = Timestamp(seconds: 1_800_000_000)
    var policy = PodPolicy()
    var claim = ClaimObservation.ofManyNodes
    /// On which steps keep checkpoints.
    var checkpointClaims: [String: ClaimObservation] = [:]
    var serverVersion: ServerVersion?
    var defaultStore = DefaultStore.missing
    var references: [TemplateReference: ReferenceObservation] = [:]
    var operatorImage: String? = "assay:1"
    /// Nil where there is none; what leads to it is among the objects.
    var gateway: GatewayObservation?
    var zone: Result<TimeZoneData, ZoneError>?
    var push: PushChannel?
    var pushes: [PushedProgress] = []
    var events: [PlannedEvent] = []
    /// What a store has, by the keys of steps.
    var store: [String: StepRecord] = [:]
    /// The records of judged runs that it has, by their tags.
    var records: [String: RevisionRecord] = [:]
    /// What pods say of artifacts that were made elsewhere, by digest.
    var elsewhere: [String: ImportReport] = [:]
    /// What the tags of images lead to.
    var registry: [String: String] = [:]
    /// Whether looks for results are answered at once.
    var answersLookups = true
    /// What the server says of the Jobs that write records, if it takes none.
    var refusesRecords: ActionFailure?
    /// The artifacts that were removed from the store, by digest, each with the time that was told for it.
    var forgotten: [String: String] = [:]
    var answersForgetting = true
    /// What pods say that remove artifacts, if they fail.
    var refusesToForget: String?
    var missingClaims: Set<String> = []
    /// Whether Jobs that compare holdouts are answered at once, and how many rows of two dozen they find.
    var answersComparisons = true
    var overlapping: Int64 = 0
    /// What they say in place of that.
    var comparison: String?
    /// The same of what writes records and reads artifacts.
    var answersSealing = true
    /// Every object that was ever created, by kind.
    var created: [String] = []
    var statusWrites = 0
    private var counter = 0

    mutating func next() -> Int {
        counter += 1
        return counter
    }

    func get(_ type: ResourceType, _ name: String) -> JSONValue? { objects[type]?[name] }

    func all(_ type: ResourceType) -> [JSONValue] {
        (objects[type] ?? [:]).sorted { $0.key < $1.key }.map(\.value)
    }

    // MARK: Writing

    mutating func create(_ type: ResourceType, _ object: JSONValue) throws {
        let name = object["metadata", "name"]?.string ?? ""
        guard get(type, name) == nil else { throw Conflict() }
        var new = object
        new["metadata", "namespace"] = .string(Self.namespace)
        new["metadata", "uid"] = .string("uid-\(created.count)")
        new["metadata", "generation"] = 1
        new["metadata", "creationTimestamp"] = .string(now.description)
        new["metadata", "resourceVersion"] = .string(String(next()))
        if type.group == "assay.dev" { new["status"] = ["observedGeneration": -1] }
        objects[type, default: [:]][name] = new
        created.append("\(type.kind) \(name)")
    }

    /// Changes an object; a changed spec is a new generation.
    mutating func update(_ type: ResourceType, _ name: String, _ change: (inout JSONValue) -> Void) {
        guard let old = get(type, name) else { return }
        var new = old
        change(&new)
        guard new != old else { return }
        if new["spec"] != old["spec"] {
            new["metadata", "generation"] = .integer((old["metadata", "generation"]?.integer ?? 0) + 1)
        }
        new["metadata", "resourceVersion"] = .string(String(next()))
        objects[type]?[name] = new
    }

    mutating func remove(_ type: ResourceType, _ name: String) {
        guard let removed = objects[type]?.removeValue(forKey: name) else { return }
        let uid = removed["metadata", "uid"]?.string
        for (child, members) in objects {
            for (name, object) in members
            where object["metadata", "ownerReferences"]?[0]?["uid"]?.string == uid {
                remove(child, name)
            }
        }
    }

    mutating func execute(_ action: Action) throws {
        switch action {
        case .create(let type, let object, _): try create(type, object)
        case .apply(let type, let key, let object, _):
            try check(type, key.name, uid: object["metadata", "uid"]?.string)
            update(type, key.name) { $0 = $0.merging(patch: object) }
        case .mergePatch(let type, let key, let patch, _, _):
            try check(type, key.name, uid: patch["metadata", "uid"]?.string)
            update(type, key.name) { $0 = $0.merging(patch: patch) }
        case .delete(let type, let key, let uid, _):
            try check(type, key.name, uid: uid)
            remove(type, key.name)
        }
    }

    private func check(_ type: ResourceType, _ name: String, uid: String?) throws {
        guard let object = get(type, name) else { throw Conflict() }
        if let uid, object["metadata", "uid"]?.string != uid { throw Conflict() }
    }

    /// Executes a plan, or the first `limit` writes of it; the status counts as the last one.
    mutating func execute(_ plan: Plan, for type: ResourceType, _ name: String, limit: Int = .max) throws {
        for (index, action) in plan.actions.enumerated() {
            guard index < limit else { return }
            try execute(action)
        }
        guard plan.actions.count < limit else { return }
        if let write = plan.status {
            guard get(type, name)?["metadata", "resourceVersion"] == write.patch["metadata", "resourceVersion"] else {
                throw Conflict()
            }
            update(type, name) { object in
                object = object.merging(patch: write.patch)
            }
            statusWrites += 1
        }
        events += plan.events
    }

    // MARK: Observing

    func trainingJob(_ name: String) throws -> TrainingJob? {
        try get(.trainingJobs, name).map { try TrainingJob(json: $0) }
    }

    func model(_ name: String = "wine") throws -> MLModel? { try get(.mlModels, name).map { try MLModel(json: $0) } }

    func observe(trainingJob: TrainingJob, live: Bool) throws -> TrainingJobObservation {
        TrainingJobObservation(
            trainingJob: trainingJob, jobs: try all(.jobs).map { try JobObservation(json: $0) },
            pods: try all(.pods).map { try PodObservation(json: $0) },
            events: try all(.events).map { try EventObservation(json: $0) }, policy: policy,
            claim: live ? claim : .none, checkpointClaims: live ? checkpointClaims : [:],
            services: live ? try all(.services).map { try ServiceObservation(json: $0) } : [],
            serverVersion: live ? serverVersion : nil, defaultStore: live ? defaultStore : .unknown,
            references: live ? references : [:], records: try records(for: trainingJob), operatorImage: operatorImage,
            push: push, pushes: pushes, isLive: live)
    }

    private func records(for job: TrainingJob) throws -> [String: StepRecord] {
        var result: [String: StepRecord] = [:]
        for key in TrainingJobPlan.wantedKeys(of: job) {
            for name in (objects[.trainingJobs] ?? [:]).keys.sorted() where name != job.metadata.name {
                if let record = try trainingJob(name)?.record(key: key) { result[key] = record }
            }
        }
        return result
    }

    func observe(model: MLModel, live: Bool) throws -> MLModelObservation {
        var gateway = gateway
        let leads =
            try all(.endpointSlices).map { ServiceLead(try EndpointSliceObservation(json: $0)) }
            + all(.endpoints).map { ServiceLead(try EndpointsObservation(json: $0)) }
        gateway?.leads = leads.filter { live || $0.metadata.controller?.uid == model.metadata.uid }
        let policies = try all(.networkPolicies).map { try NetworkPolicyObservation(json: $0) }
        gateway?.policies = policies.filter(\.isOfGateway)
        var observation = MLModelObservation(
            model: model, trainingJobs: try all(.trainingJobs).map { try TrainingJob(json: $0) },
            deployments: try all(.deployments).map { try DeploymentObservation(json: $0) },
            service: try get(.services, model.metadata.name).map { try ServiceObservation(json: $0) },
            pods: try all(.pods).map { try PodObservation(json: $0) },
            jobs: try MLModelPlan.jobNames(of: model).compactMap { name in
                try get(.jobs, name).map { try JobObservation(json: $0) }
            }, proofJobs: try all(.jobs).map { try JobObservation(json: $0) }.filter(\.isOfProof),
            fence: try policies.filter { !$0.isOfGateway }.map { FencePart($0) }
                + all(.services).filter { $0["metadata", "name"]?.string != model.metadata.name }
                .map { FencePart(try ServiceObservation(json: $0)) }, policy: policy, claim: live ? claim : .none,
            gateway: gateway, references: live ? references(exceptOf: model.metadata.uid) : [],
            missingClaims: live ? missingClaims : [], operatorImage: operatorImage, isLive: live)
        observation.zone = zone
        return observation
    }

    private func references(exceptOf uid: String) -> Set<String> {
        let others = (all(.mlModels) + all(.trainingJobs)).filter {
            $0["metadata", "uid"]?.string != uid && $0["metadata", "deletionTimestamp"] == nil
        }
        return others.reduce(into: []) { $0.formUnion(ArtifactReferences.names(in: $1)) }
    }

    func plan(trainingJob name: String) throws -> Plan {
        guard let job = try trainingJob(name) else { return Plan() }
        let plan = TrainingJobPlan.plan(try observe(trainingJob: job, live: false), now: now)
        guard plan.needsLiveObservation else { return plan }
        return TrainingJobPlan.plan(try observe(trainingJob: job, live: true), now: now)
    }

    func plan(model name: String = "wine") throws -> Plan {
        guard let model = try model(name) else { return Plan() }
        let plan = MLModelPlan.plan(try observe(model: model, live: false), now: now)
        guard plan.needsLiveObservation else { return plan }
        return MLModelPlan.plan(try observe(model: model, live: true), now: now)
    }

    /// Plans and executes until no plan has anything in it. Returns how many plans had.
    @discardableResult
    mutating func settle() throws -> Int {
        for round in 0..<64 {
            var isQuiet = true
            for name in (objects[.mlModels] ?? [:]).keys.sorted() {
                var plan = try plan(model: name)
                isQuiet = isQuiet && plan.isEmpty
                if let refusal = refusesRecords, plan.actions.contains(where: { $0.type == .jobs }),
                    let model = try model(name)
                {
                    plan = MLModelPlan.statusAfter(refusal, try observe(model: model, live: true), now: now)
                }
                try execute(plan, for: .mlModels, name)
            }
            for name in (objects[.trainingJobs] ?? [:]).keys.sorted() {
                let plan = try plan(trainingJob: name)
                isQuiet = isQuiet && plan.isEmpty
                try execute(plan, for: .trainingJobs, name)
            }
            if answersLookups, answerLookups() { isQuiet = false }
            if answersSealing, answerSealing() { isQuiet = false }
            if answerForgetting() { isQuiet = false }
            if answersComparisons, answerComparisons() { isQuiet = false }
            if isQuiet { return round }
        }
        throw Unsettled()
    }

    struct Unsettled: Error {}
}
