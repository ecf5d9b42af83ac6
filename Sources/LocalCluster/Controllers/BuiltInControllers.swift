import Concurrency
import ControllerRuntime
import JSON
import KubernetesClient
import KubernetesModel
import Logging

/// The controllers of built-in kinds, as one client of the API: what kube-controller-manager is to Kubernetes.
public struct BuiltInControllers: Sendable {
    public struct Options: Sendable {
        /// Of a Job's failed pods; Kubernetes begins with 10 s.
        public var jobs = JobPlanner()
        /// Where the volumes of claims are.
        public var volumeDirectory: String
        /// False for an API server before 1.21: then Endpoints alone are written.
        public var writesEndpointSlices = true

        public init(volumeDirectory: String) { self.volumeDirectory = volumeDirectory }
    }

    private let cache: ClusterCache
    private let client: KubernetesClient
    private let time: any TimeSource
    private let logger: Logger
    private let jobs: ControllerLoop
    private let replicaSets: ControllerLoop
    private let deployments: ControllerLoop
    private let endpoints: ControllerLoop
    private let claims: ControllerLoop
    private let volumes: ControllerLoop
    private let podCollection: ControllerLoop

    public init(client: KubernetesClient, options: Options, time: any TimeSource = SystemTime(), logger: Logger) {
        var types: [ResourceType] = [
            .pods, .nodes, .jobs, .replicaSets, .deployments, .services, .endpoints, .persistentVolumeClaims,
            .persistentVolumes,
        ]
        if options.writesEndpointSlices { types.append(.endpointSlices) }
        let cache = ClusterCache(types)
        func loop(_ name: String, _ plan: @escaping ControllerLoop.Planning) -> ControllerLoop {
            ControllerLoop(name: name, client: client, cache: cache, time: time, logger: logger, plan: plan)
        }
        self.cache = cache
        self.client = client
        self.time = time
        self.logger = logger
        jobs = loop("job-controller") { key, _, now in
            cache.get(.jobs, key).map {
                options.jobs.plan(job: $0, pods: cache.controlled(.pods, by: $0), now: now)
            }
        }
        replicaSets = loop("replicaset-controller") { key, failure, now in
            cache.get(.replicaSets, key).map {
                ReplicaSetPlanner().plan(
                    replicaSet: $0, pods: cache.controlled(.pods, by: $0), createFailure: failure, now: now)
            }
        }
        deployments = loop("deployment-controller") { key, _, now in
            guard let deployment = cache.get(.deployments, key) else { return nil }
            let sets = cache.controlled(.replicaSets, by: deployment)
            return DeploymentPlanner().plan(
                deployment: deployment, replicaSets: sets,
                pods: sets.flatMap { cache.controlled(.pods, by: $0) }, now: now)
        }
        endpoints = loop("endpoints-controller") { key, _, now in
            let planner = EndpointsPlanner(writesSlices: options.writesEndpointSlices)
            guard let service = cache.get(.services, key) else {
                return planner.plan(withoutService: cache.get(.endpoints, key), madeBy: "endpoints-controller")
            }
            return planner.plan(
                service: service, pods: cache.all(.pods, in: key.namespace), endpoints: cache.get(.endpoints, key),
                slices: cache.all(.endpointSlices, in: key.namespace).filter {
                    $0.labels["kubernetes.io/service-name"] == key.name
                }, now: now)
        }
        let planner = VolumeClaimPlanner(directory: options.volumeDirectory)
        claims = loop("persistentvolume-controller") { key, _, now in
            guard let claim = cache.get(.persistentVolumeClaims, key) else { return nil }
            let wanted = claim["spec", "volumeName"]?.string ?? ""
            let name = wanted.isEmpty ? VolumeClaimPlanner.volumeName(claim) : wanted
            let volume = cache.get(.persistentVolumes, ObjectKey(namespace: nil, name: name))
            return planner.plan(claim: claim, volume: volume, now: now)
        }
        volumes = loop("persistentvolume-reclaimer") { key, _, now in
            guard let volume = cache.get(.persistentVolumes, key), let claimKey = Self.claim(of: volume) else {
                return nil
            }
            let claim = cache.get(.persistentVolumeClaims, claimKey)
            let isSame = claim?.uid == volume["spec", "claimRef", "uid"]?.string
            return planner.plan(volume: volume, claim: isSame ? claim : nil, now: now)
        }
        podCollection = loop("pod-garbage-collector") { key, _, now in
            let nodes = Set(cache.all(.nodes).map(\.name))
            return cache.get(.pods, key).map { PodCollector().plan(pod: $0, nodes: nodes, now: now) }
        }
        subscribe()
    }

    private static func claim(of volume: JSONValue) -> ObjectKey? {
        guard let reference = volume["spec", "claimRef"], let name = reference["name"]?.string else { return nil }
        return ObjectKey(namespace: reference["namespace"]?.string, name: name)
    }

    /// Runs until cancelled.
    public func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await cache.run(client: client, time: time, logger: logger) }
            for loop in [jobs, replicaSets, deployments, endpoints, claims, volumes, podCollection] {
                group.addTask { await loop.run() }
            }
        }
    }

    // MARK: What makes a key worth a look

    private func subscribe() {
        func own(_ type: ResourceType, _ queue: WorkQueue) {
            cache.subscribe(type) { queue.add($0.key) }
        }
        own(.jobs, jobs.queue)
        own(.replicaSets, replicaSets.queue)
        own(.deployments, deployments.queue)
        own(.services, endpoints.queue)
        own(.endpoints, endpoints.queue)
        own(.persistentVolumeClaims, claims.queue)
        own(.persistentVolumes, volumes.queue)
        cache.subscribe(.replicaSets) { [deployments] in
            Self.enqueueController(of: $0.object.json, "Deployment", deployments.queue)
        }
        cache.subscribe(.endpointSlices) { [endpoints] change in
            guard let service = change.object.metadata.labels["kubernetes.io/service-name"] else { return }
            endpoints.queue.add(ObjectKey(namespace: change.key.namespace, name: service))
        }
        cache.subscribe(.persistentVolumes) { [claims] change in
            if let key = Self.claim(of: change.object.json) { claims.queue.add(key) }
        }
        cache.subscribe(.persistentVolumeClaims) { [volumes] change in
            let name = change.object.json["spec", "volumeName"]?.string ?? ""
            if !name.isEmpty { volumes.queue.add(ObjectKey(namespace: nil, name: name)) }
        }
        cache.subscribe(.nodes) { [cache, podCollection] change in
            guard change.isDeletion else { return }
            for pod in cache.all(.pods) { podCollection.queue.add(pod.key) }
        }
        cache.subscribe(.pods) { [self] in podChanged($0) }
    }

    private func podChanged(_ change: StoreChange<DynamicObject>) {
        let pod = change.object.json
        Self.enqueueController(of: pod, "Job", jobs.queue)
        Self.enqueueController(of: pod, "ReplicaSet", replicaSets.queue)
        if let set = pod.controllerReference, set["kind"] == "ReplicaSet", let name = set["name"]?.string,
            let owner = cache.get(.replicaSets, ObjectKey(namespace: pod.namespace, name: name))
        {
            // Recreate waits for the last old pod.
            if change.isDeletion || PodFacts(pod).isFinished {
                Self.enqueueController(of: owner, "Deployment", deployments.queue)
            }
        }
        var labels = [pod.labels]
        if case .modified(let old, _) = change { labels.append(old.metadata.labels) }
        for service in cache.all(.services, in: pod.namespace) {
            let selector = service["spec", "selector"]?.stringMap ?? [:]
            let isSelected = labels.contains { labels in selector.allSatisfy { labels[$0.key] == $0.value } }
            if !selector.isEmpty && isSelected { endpoints.queue.add(service.key) }
        }
        if !change.isDeletion { podCollection.queue.add(change.key) }
    }

    private static func enqueueController(of child: JSONValue, _ kind: String, _ queue: WorkQueue) {
        guard let owner = child.controllerReference, owner["kind"]?.string == kind, let name = owner["name"]?.string
        else { return }
        queue.add(ObjectKey(namespace: child.namespace, name: name))
    }
}
