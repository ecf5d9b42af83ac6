import KubernetesModel
import Schedule

/// Everything that the plan of a TrainingJob depends on.
public struct TrainingJobObservation: Sendable, Hashable {
    public var trainingJob: TrainingJob
    /// Every Job of the namespace that is controlled by the TrainingJob or has the name of one of its attempts
    /// (`TrainingJobPlan.jobNames(of:)`), whoever owns it.
    public var jobs: [JobObservation]
    /// The pods that those Jobs control; among what was read live, also those of Jobs that are gone.
    public var pods: [PodObservation]
    /// Warnings about those Jobs; may be empty.
    public var events: [EventObservation]
    public var policy: PodPolicy
    /// The claim that `spec.artifactStore` names.
    public var claim: ClaimObservation
    /// The claims that steps keep checkpoints on, by name.
    public var checkpointClaims: [String: ClaimObservation]
    /// The Services of the names that steps of several nodes need (`TrainingJobPlan.serviceNames(of:)`), whoever owns them.
    public var services: [ServiceObservation]
    /// What the server is; nil where no step asks for what old ones do not have.
    public var serverVersion: ServerVersion?
    /// The namespace's store, for a training that names none.
    public var defaultStore: DefaultStore
    /// What the templates of steps refer to.
    public var references: [TemplateReference: ReferenceObservation]
    /// What came of steps of the namespace's trainings that have the same store, by the keys that were asked for
    /// (`TrainingJobPlan.wantedKeys(of:)`).
    public var records: [String: StepRecord]
    /// The image of the operator, which fetches and seals the artifacts of steps; nil while it is not known.
    public var operatorImage: String?
    /// How its pods push; nil where they cannot.
    public var push: PushChannel?
    /// What pods have pushed of its attempts, as far as this replica has heard it.
    public var pushes: [PushedProgress]
    /// All of it was just read from the server, not from caches.
    public var isLive: Bool

    public init(
        trainingJob: TrainingJob, jobs: [JobObservation] = [], pods: [PodObservation] = [],
        events: [EventObservation] = [], policy: PodPolicy = PodPolicy(), claim: ClaimObservation = .none,
        checkpointClaims: [String: ClaimObservation] = [:], services: [ServiceObservation] = [],
        serverVersion: ServerVersion? = nil, defaultStore: DefaultStore = .unknown,
        references: [TemplateReference: ReferenceObservation] = [:],
        records: [String: StepRecord] = [:], operatorImage: String? = nil, push: PushChannel? = nil,
        pushes: [PushedProgress] = [], isLive: Bool = false
    ) {
        self.trainingJob = trainingJob
        self.jobs = jobs
        self.pods = pods
        self.events = events
        self.policy = policy
        self.claim = claim
        self.checkpointClaims = checkpointClaims
        self.services = services
        self.serverVersion = serverVersion
        self.defaultStore = defaultStore
        self.references = references
        self.records = records
        self.operatorImage = operatorImage
        self.push = push
        self.pushes = pushes
        self.isLive = isLive
    }
}

/// Everything that the plan of an MLModel depends on.
public struct MLModelObservation: Sendable, Hashable {
    public var model: MLModel
    /// The TrainingJobs that the model controls, and any of the name of one of its runs.
    public var trainingJobs: [TrainingJob]
    /// The Deployments that the model controls, and any of the name of one of its revisions.
    public var deployments: [DeploymentObservation]
    /// The Service of the model's name, whoever owns it.
    public var service: ServiceObservation?
    /// The serving pods (label `assay.dev/model`), for the reasons why they are not available; may be empty.
    public var pods: [PodObservation]
    /// The Jobs that write records (`MLModelPlan.jobNames(of:)`), whoever owns them; their pods are among the pods.
    public var jobs: [JobObservation]
    /// The Jobs of the model that prove a candidate (label `assay.dev/proof`); their pods are among the pods.
    public var proofJobs: [JobObservation]
    /// What the model controls to fence a candidate off, and whatever else has one of those names.
    public var fence: [FencePart]
    public var policy: PodPolicy
    /// The claim that the training's artifacts are on.
    public var claim: ClaimObservation
    /// Nil where there is none.
    public var gateway: GatewayObservation?
    /// The artifacts that others than the model itself refer to: every digest in another MLModel or TrainingJob that stays.
    /// Read only where something is to be removed.
    public var references: Set<String>
    /// Of the stores that something is to be removed from, the claims that are not there any more.
    public var missingClaims: Set<String>
    /// The image of the operator, which fetches artifacts; nil while it is not known.
    public var operatorImage: String?
    /// That of `spec.training.timeZone`; nil where it names none.
    public var zone: Result<TimeZoneData, ZoneError>?
    public var isLive: Bool

    public init(
        model: MLModel, trainingJobs: [TrainingJob] = [], deployments: [DeploymentObservation] = [],
        service: ServiceObservation? = nil, pods: [PodObservation] = [], jobs: [JobObservation] = [],
        proofJobs: [JobObservation] = [], fence: [FencePart] = [], policy: PodPolicy = PodPolicy(),
        claim: ClaimObservation = .none, gateway: GatewayObservation? = nil, references: Set<String> = [],
        missingClaims: Set<String> = [], operatorImage: String? = nil, isLive: Bool = false
    ) {
        self.model = model
        self.trainingJobs = trainingJobs
        self.deployments = deployments
        self.service = service
        self.pods = pods
        self.jobs = jobs
        self.proofJobs = proofJobs
        self.fence = fence
        self.policy = policy
        self.claim = claim
        self.gateway = gateway
        self.references = references
        self.missingClaims = missingClaims
        self.operatorImage = operatorImage
        self.isLive = isLive
    }
}
