import AssayCore
import ControllerRuntime
import JSON
import KubernetesClient
import KubernetesModel

/// Observing and planning for TrainingJobs.
struct TrainingJobKind: Reconciled {
    static let type = ResourceType.trainingJobs

    let client: KubernetesClient
    let caches: Caches
    let policies: PolicyReader
    /// The operator's own, once it is known.
    let operatorImage: @Sendable () -> String?
    /// Where its pods push to; nil where they cannot.
    let push: PushService?

    func plan(_ observation: TrainingJobObservation, now: Timestamp) -> Plan {
        TrainingJobPlan.plan(observation, now: now)
    }

    func plan(_ observation: TrainingJobObservation, after failure: ActionFailure, now: Timestamp) -> Plan {
        TrainingJobPlan.statusAfter(failure, observation, now: now)
    }

    func metadata(_ observation: TrainingJobObservation) -> ObjectMeta { observation.trainingJob.metadata }

    func observe(_ key: ObjectKey, live: Bool) async throws(KubernetesError) -> TrainingJobObservation? {
        guard var observation = live ? try await read(key) : cached(key) else { return nil }
        let templates = observation.trainingJob.spec.value?.templates.map(\.json) ?? []
        observation.policy = try await policies.policy(
            namespace: key.namespace ?? "", templates: templates, live: live)
        observation.events = try await warnings(observation)
        observation.operatorImage = operatorImage()
        observation.records = records(for: observation.trainingJob)
        observation.push = push?.channel
        observation.pushes = push?.inbox.pushes(of: observation.trainingJob.metadata.uid) ?? []
        if live {
            try await readSurroundings(&observation, key)
            if observation.trainingJob.status.value?.isFinished != true {
                await push?.prepare(observation.trainingJob.metadata)
            }
        }
        observation.isLive = live
        return observation
    }

    /// What a workflow depends on beside its own objects, all of it read only where it is planned by.
    private func readSurroundings(
        _ observation: inout TrainingJobObservation, _ key: ObjectKey
    ) async throws(KubernetesError) {
        let trainingJob = observation.trainingJob
        guard let spec = trainingJob.spec.value, spec.usesStore, trainingJob.status.value?.isFinished != true else {
            return
        }
        if TrainingJobPlan.store(of: trainingJob) == nil {
            observation.defaultStore =
                try await client.object(
                    .configMaps, ObjectKey(namespace: key.namespace, name: DefaultStore.name), DefaultStore.init(json:))
                ?? .missing
        }
        let store = TrainingJobPlan.store(of: trainingJob) ?? observation.defaultStore.spec
        if let name = store?.claimName { observation.claim = try await client.claim(name, namespace: key.namespace) }
        try await readForNodes(&observation, spec, key)
        for reference in TrainingJobPlan.references(of: trainingJob) {
            observation.references[reference] = try await client.version(of: reference, namespace: key.namespace)
        }
        let account = ObjectKey(namespace: key.namespace, name: "default")
        observation.policy.serviceAccounts[account.name] = try await client.object(
            .serviceAccounts, account, ServiceAccountObservation.init(json:))
    }

    private func readForNodes(
        _ observation: inout TrainingJobObservation, _ spec: TrainingJobSpec, _ key: ObjectKey
    ) async throws(KubernetesError) {
        for name in Set(spec.steps.compactMap(\.checkpointClaim)) {
            observation.checkpointClaims[name] = try await client.claim(name, namespace: key.namespace)
        }
        guard spec.steps.contains(where: { $0.nodes != nil }) else { return }
        observation.serverVersion = try await client.serverVersion()
        for name in TrainingJobPlan.serviceNames(of: observation.trainingJob) {
            let service = ObjectKey(namespace: key.namespace, name: name)
            if let service = try await client.object(.services, service, ServiceObservation.init(json:)) {
                observation.services.append(service)
            }
        }
    }

    /// What other trainings of the namespace are known to have had, as far as it may be taken for what this one would have.
    private func records(for trainingJob: TrainingJob) -> [String: StepRecord] {
        var result: [String: StepRecord] = [:]
        let store = TrainingJobPlan.store(of: trainingJob)
        for key in TrainingJobPlan.wantedKeys(of: trainingJob) {
            for other in caches.stepResults.objects(namespace: trainingJob.metadata.namespace, value: key)
            where other != trainingJob.metadata.key {
                guard let other = caches.trainingJobs.get(other), TrainingJobPlan.store(of: other)?.uri == store?.uri,
                    let record = other.record(key: key)
                else { continue }
                result[key] = record
                break
            }
        }
        return result
    }

    func cached(_ key: ObjectKey) -> TrainingJobObservation? {
        guard let trainingJob = caches.trainingJobs.get(key) else { return nil }
        let jobs = cachedJobs(of: trainingJob)
        return TrainingJobObservation(
            trainingJob: trainingJob, jobs: jobs,
            pods: jobs.flatMap { caches.pods.children(of: $0.metadata) })
    }

    private func read(_ key: ObjectKey) async throws(KubernetesError) -> TrainingJobObservation? {
        guard let trainingJob = try await client.object(Self.type, key, TrainingJob.init(json:)) else { return nil }
        let jobs = try await readJobs(of: trainingJob)
        let owners = Set(jobs.map(\.metadata.uid)).union(trainingJob.status.value?.jobUIDs ?? [])
        return TrainingJobObservation(trainingJob: trainingJob, jobs: jobs, pods: try await readPods(of: owners, key))
    }

    private func cachedJobs(of trainingJob: TrainingJob) -> [JobObservation] {
        let named = TrainingJobPlan.jobNames(of: trainingJob).compactMap {
            caches.jobs.get(ObjectKey(namespace: trainingJob.metadata.namespace, name: $0))
        }
        return (caches.jobs.children(of: trainingJob.metadata) + named).uniqueByUID(\.metadata)
    }

    private func readJobs(of trainingJob: TrainingJob) async throws(KubernetesError) -> [JobObservation] {
        let metadata = trainingJob.metadata
        var jobs = try await client.objects(
            .jobs, namespace: metadata.namespace,
            ListOptions(labelSelector: "\(Caches.managedSelector),\(Label.trainingJob)=\(metadata.name)"),
            JobObservation.init(json:)
        ).filter { $0.metadata.controller?.uid == metadata.uid }
        // A Job of that name may be somebody else's, and then it has no label of ours.
        for name in TrainingJobPlan.jobNames(of: trainingJob) {
            let key = ObjectKey(namespace: metadata.namespace, name: name)
            if let job = try await client.object(.jobs, key, JobObservation.init(json:)) { jobs.append(job) }
        }
        return jobs.uniqueByUID(\.metadata)
    }

    private func readPods(of owners: Set<String>, _ key: ObjectKey) async throws(KubernetesError) -> [PodObservation] {
        try await client.objects(
            .pods, namespace: key.namespace,
            ListOptions(labelSelector: "\(Caches.managedSelector),\(Label.trainingJob)=\(key.name)"),
            PodObservation.init(json:)
        ).filter { $0.metadata.controller.map { owners.contains($0.uid) } ?? false }
    }

    /// The warnings about Jobs that have no pod, though their start was told of already: only an event tells that a quota
    /// or an admission rule forbids one, and a Job that never had a pod need not have a start time.
    private func warnings(_ observation: TrainingJobObservation) async throws(KubernetesError) -> [EventObservation] {
        var result: [EventObservation] = []
        guard observation.trainingJob.status.value?.reason != TrainingJobPlan.jobCreated else { return [] }
        for job in observation.jobs where !job.isFinished && !job.suspend {
            guard !observation.pods.contains(where: { $0.metadata.controller?.uid == job.metadata.uid }) else {
                continue
            }
            let selector = "involvedObject.kind=Job,involvedObject.name=\(job.metadata.name),type=Warning"
            result += try await client.objects(
                .coreEvents, namespace: job.metadata.namespace, ListOptions(fieldSelector: selector),
                EventObservation.init(json:))
        }
        return result
    }
}

extension KubernetesClient {
    func claim(_ name: String, namespace: String?) async throws(KubernetesError) -> ClaimObservation {
        let key = ObjectKey(namespace: namespace, name: name)
        return try await object(.persistentVolumeClaims, key, ClaimObservation.init(json:)) ?? .missing(name)
    }

    /// As which version a thing stands that a template refers to. Its content stays where it is.
    func version(
        of reference: TemplateReference, namespace: String?
    ) async throws(KubernetesError) -> ReferenceObservation {
        let type = reference.kind == .secret ? ResourceType.secrets : .configMaps
        do throws(KubernetesError) {
            let metadata = try await metadata(type, ObjectKey(namespace: namespace, name: reference.name))
            return .version(metadata["resourceVersion"]?.string ?? "")
        } catch {
            if error.isNotFound { return .missing }
            if error.isForbidden { return .forbidden }
            throw error
        }
    }
}

extension Array {
    /// The first of each uid, in order.
    func uniqueByUID(_ metadata: (Element) -> ObjectMeta) -> [Element] {
        var seen: Set<String> = []
        return filter { seen.insert(metadata($0).uid).inserted }
    }
}
