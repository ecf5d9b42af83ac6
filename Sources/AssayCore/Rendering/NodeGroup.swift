import JSON
import KubernetesModel

/// The pods of a step of several nodes: an Indexed Job, whose pods have host names behind a headless Service, and are
/// told of each other in the variables that training libraries look for.
struct NodeGroup {
    /// Where the first pod of the step waits for the others; the default of torch.distributed.
    static let port = 29500
    /// Indexed Jobs are on by default, and their pods have host names of their own, from this minor version of Kubernetes
    /// 1 on.
    static let oldestMinorVersion = 22

    /// How many pods.
    let size: Int
    /// Of the Service.
    let service: String
    let namespace: String

    /// - Returns: nil for a step of one pod that needs no other.
    init?(of step: TrainingStep, in job: TrainingJob) {
        guard let nodes = step.nodes else { return nil }
        size = nodes
        namespace = job.metadata.namespace ?? ""
        service = ChildName.nodes(
            namespace: namespace, name: job.metadata.name, uid: job.metadata.uid, step: step.name)
    }

    /// Changes the Job of an attempt. That one pod has failed ends it: the others wait for what does not come.
    func apply(to job: inout JSONValue) {
        job["spec", "completionMode"] = "Indexed"
        job["spec", "completions"] = JSONValue(size)
        job["spec", "parallelism"] = JSONValue(size)
        job["spec", "backoffLimit"] = 0
    }

    /// In every attempt the same one. Whoever looks for a pod that is not ready yet, finds it: none is before all have met.
    func renderedService(for job: TrainingJob, step: TrainingStep) -> JSONValue {
        let selector = [Label.trainingJob: job.metadata.name, Label.step: step.name]
        return [
            "apiVersion": .string(ResourceType.services.apiVersion), "kind": .string(ResourceType.services.kind),
            "metadata": [
                "name": .string(service), "namespace": .string(namespace),
                "labels": JSONValue(selector.merging([Label.managedBy: Label.manager]) { first, _ in first }),
                "ownerReferences": [OwnerReference(controller: job.metadata, of: TrainingJob.resourceType).json],
            ],
            "spec": ["clusterIP": "None", "publishNotReadyAddresses": true, "selector": JSONValue(selector)],
        ]
    }

    /// What the pods of the Job are told.
    func variables(job: String, container: JSONValue) -> [JSONValue] {
        // Whole but for the cluster's domain, which resolvers add.
        let address = "\(job)-0.\(service).\(namespace).svc"
        let own: [(name: String, value: String)] = [
            ("WORLD_SIZE", "\(size)"), ("MASTER_ADDR", address), ("MASTER_PORT", "\(Self.port)"),
            ("PET_NNODES", "\(size)"), ("PET_NPROC_PER_NODE", "\(Self.processes(of: container))"),
            ("PET_NODE_RANK", "$(\(Self.rankVariable))"), ("PET_MASTER_ADDR", address),
            ("PET_MASTER_PORT", "\(Self.port)"),
            ("DMLC_TRACKER_URI", address), ("DMLC_TRACKER_PORT", "\(Self.port)"),
            ("DMLC_TASK_ID", "$(\(Self.rankVariable))"),
            ("DMLC_NUM_WORKER", "\(size)"), ("PYTHONUNBUFFERED", "1"),
        ]
        return [Self.rank] + own.map { ["name": .string($0.name), "value": .string($0.value)] }
    }

    static let rankVariable = "RANK"

    /// The Job's controller adds `JOB_COMPLETION_INDEX` behind all others, where none of them can refer to it.
    static let rank: JSONValue = [
        "name": .string(rankVariable),
        "valueFrom": ["fieldRef": ["fieldPath": .string("metadata.annotations['\(Label.completionIndex)']")]],
    ]

    /// One for each accelerator that the container has, as `torchrun` counts them.
    private static func processes(of container: JSONValue) -> Int64 {
        let limits = container["resources", "limits"]?.object ?? [:]
        let counts = limits.compactMap { name, quantity -> Int64? in
            guard name.hasSuffix("/gpu") else { return nil }
            return quantity.integer ?? quantity.string.flatMap { Int64($0) }
        }
        return max(1, counts.max() ?? 1)
    }
}
