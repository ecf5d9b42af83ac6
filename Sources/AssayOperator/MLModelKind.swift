import AssayCore
import ControllerRuntime
import JSON
import KubernetesClient
import KubernetesModel
import Schedule

/// Observing and planning for MLModels.
struct MLModelKind: Reconciled {
    static let type = ResourceType.mlModels

    let client: KubernetesClient
    let caches: Caches
    /// Nil where nobody asks the gateway.
    var loads: GatewayLoads?
    let policies: PolicyReader
    /// The one that is watched; nil for all.
    let namespace: String?
    /// The operator's own, once it is known.
    let operatorImage: @Sendable () -> String?

    func plan(_ observation: MLModelObservation, now: Timestamp) -> Plan {
        MLModelPlan.plan(observation, now: now)
    }

    func plan(_ observation: MLModelObservation, after failure: ActionFailure, now: Timestamp) -> Plan {
        MLModelPlan.statusAfter(failure, observation, now: now)
    }

    func metadata(_ observation: MLModelObservation) -> ObjectMeta { observation.model.metadata }

    func observe(_ key: ObjectKey, live: Bool) async throws(KubernetesError) -> MLModelObservation? {
        guard var observation = live ? try await read(key) : cached(key) else { return nil }
        let spec = observation.model.spec.value
        let templates = (spec?.templates ?? []).map(\.json)
        observation.policy = try await policies.policy(
            namespace: key.namespace ?? "", templates: templates, live: live)
        observation.operatorImage = operatorImage()
        if live, let name = MLModelPlan.store(of: observation.model)?.claimName,
            spec?.serving.artifacts.isEmpty == false
        {
            observation.claim = try await client.claim(name, namespace: key.namespace)
        }
        if live { try await readReferences(&observation) }
        observation.gateway = try await caches.gateway?.observe(observation.model, live: live, caches, client)
        // After the Deployments were read: who is asked before a model is sent to sleep must answer after that.
        let isDraining = observation.model.status.value?.traffic.contains { $0.state == .draining } ?? false
        if live, isDraining { await loads?.ask() }
        observation.gateway?.scaling = loads?.observe(key)
        observation.gateway?.canary = loads?.canary(key)
        observation.gateway?.service = loads?.service(key)
        observation.zone = (spec?.training.retraining.timeZone).map { name in
            Result { () throws(ZoneError) in try ZoneDirectory().zone(try ZoneName(name)) }
        }
        observation.isLive = live
        return observation
    }

    /// Who else needs what is to be removed.
    private func readReferences(_ observation: inout MLModelObservation) async throws(KubernetesError) {
        // Those whose Job is to be made, or was.
        let removals = observation.model.status.value?.removals.filter { $0.job != nil } ?? []
        guard !removals.isEmpty else { return }
        let own = observation.model.metadata
        for name in Set(removals.compactMap(\.store.claimName)) {
            if case .missing = try await client.claim(name, namespace: own.namespace) {
                observation.missingClaims.insert(name)
            }
        }
        // A claim is of its namespace; other stores have many.
        let scope = removals.allSatisfy { $0.store.claimName != nil } ? own.namespace : namespace
        for type in [ResourceType.mlModels, .trainingJobs] {
            for object in try await client.listAll(type, namespace: scope).items {
                guard object["metadata", "uid"]?.string != own.uid, object["metadata", "deletionTimestamp"] == nil
                else { continue }
                observation.references.formUnion(ArtifactReferences.names(in: object))
            }
        }
    }

    func cached(_ key: ObjectKey) -> MLModelObservation? {
        guard let model = caches.models.get(key) else { return nil }
        func child(_ name: String) -> ObjectKey { ObjectKey(namespace: key.namespace, name: name) }
        let trainingJobs = MLModelPlan.trainingJobNames(of: model).compactMap { caches.trainingJobs.get(child($0)) }
        let deployments = MLModelPlan.deploymentNames(of: model).compactMap { caches.deployments.get(child($0)) }
        return MLModelObservation(
            model: model,
            trainingJobs: (caches.trainingJobs.children(of: model.metadata) + trainingJobs).uniqueByUID(\.metadata),
            deployments: (caches.deployments.children(of: model.metadata) + deployments).uniqueByUID(\.metadata),
            service: caches.services.get(key),
            pods: caches.servingPods.objects(namespace: key.namespace, value: key.name).compactMap(caches.pods.get),
            jobs: MLModelPlan.jobNames(of: model).compactMap { caches.jobs.get(child($0)) },
            proofJobs: caches.jobs.children(of: model.metadata).filter(\.isOfProof),
            fence: caches.services.children(of: model.metadata).filter { $0.metadata.name != key.name }.map(
                FencePart.init)
                + caches.networkPolicies.children(of: model.metadata).filter { !$0.isOfGateway }.map(FencePart.init))
    }

    private func read(_ key: ObjectKey) async throws(KubernetesError) -> MLModelObservation? {
        // First, for it is changed under the version that was read: whoever led it elsewhere since, while the rest was read,
        // makes the server refuse the change.
        let service = try await client.object(.services, key, ServiceObservation.init(json:))
        guard let model = try await client.object(Self.type, key, MLModel.init(json:)) else { return nil }
        let ofModel = ListOptions(labelSelector: "\(Caches.managedSelector),\(Label.model)=\(key.name)")
        let uid = model.metadata.uid
        let trainingJobs = try await children(
            .trainingJobs, of: key, ofModel, uid: uid, names: MLModelPlan.trainingJobNames(of: model), \.metadata,
            TrainingJob.init(json:))
        let deployments = try await children(
            .deployments, of: key, ofModel, uid: uid, names: MLModelPlan.deploymentNames(of: model), \.metadata,
            DeploymentObservation.init(json:))
        var jobs: [JobObservation] = []
        for name in MLModelPlan.jobNames(of: model) {
            let child = ObjectKey(namespace: key.namespace, name: name)
            if let job = try await client.object(.jobs, child, JobObservation.init(json:)) { jobs.append(job) }
        }
        var observation = MLModelObservation(
            model: model, trainingJobs: trainingJobs, deployments: deployments,
            service: service,
            pods: try await client.objects(.pods, namespace: key.namespace, ofModel, PodObservation.init(json:)),
            jobs: jobs)
        if MLModelPlan.provesCandidates(of: model) { try await readProof(&observation, key, ofModel) }
        return observation
    }

    private func readProof(
        _ observation: inout MLModelObservation, _ key: ObjectKey, _ ofModel: ListOptions
    ) async throws(KubernetesError) {
        let uid = observation.model.metadata.uid
        let names = MLModelPlan.fenceNames(of: observation.model)
        observation.proofJobs = try await children(
            .jobs, of: key, ofModel, uid: uid, names: [], \.metadata, JobObservation.init(json:)
        ).filter(\.isOfProof)
        let policies = try await children(
            .networkPolicies, of: key, ofModel, uid: uid, names: names, \.metadata,
            NetworkPolicyObservation.init(json:))
        let services = try await children(
            .services, of: key, ofModel, uid: uid, names: names, \.metadata, ServiceObservation.init(json:))
        observation.fence =
            policies.filter { !$0.isOfGateway }.map(FencePart.init)
            + services.filter { $0.metadata.name != key.name }.map(FencePart.init)
    }

    /// The objects that the model controls, and those of the names given, whoever owns them.
    private func children<Object>(
        _ type: ResourceType, of key: ObjectKey, _ ofModel: ListOptions, uid: String, names: [String],
        _ metadata: (Object) -> ObjectMeta, _ read: (JSONValue) throws(JSONShapeError) -> Object
    ) async throws(KubernetesError) -> [Object] {
        var result = try await client.objects(type, namespace: key.namespace, ofModel, read)
            .filter { metadata($0).controller?.uid == uid }
        for name in names {
            let child = ObjectKey(namespace: key.namespace, name: name)
            if let object = try await client.object(type, child, read) { result.append(object) }
        }
        return result.uniqueByUID(metadata)
    }
}
