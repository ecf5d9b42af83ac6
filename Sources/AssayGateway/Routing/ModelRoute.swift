import AssayCore
import KubernetesModel

/// Where the requests of a model go.
public struct ModelRoute: Sendable, Hashable {
    /// Which model.
    public var model: ObjectKey
    /// The gateway's port for it.
    public var port: Int?
    /// The names for it at the shared port.
    public var hosts: [String]
    /// Whether a request that was sent may be sent again, whatever its method.
    public var isIdempotent: Bool
    /// Whether what is counted of its only revision is told.
    public var isAnalysed: Bool
    /// Who may call.
    public var callers: CallerRule
    /// Of the status' traffic that it is made of.
    public var generation: Int64
    /// What takes requests or is kept for them, as in the status.
    public var revisions: [RevisionRoute]

    /// A route by its parts.
    public init(
        model: ObjectKey, port: Int?, hosts: [String] = [], isIdempotent: Bool = false, isAnalysed: Bool = false,
        callers: CallerRule = .anybody, generation: Int64 = 0, revisions: [RevisionRoute]
    ) {
        self.isAnalysed = isAnalysed
        self.callers = callers
        self.generation = generation
        self.model = model
        self.port = port
        self.hosts = hosts
        self.isIdempotent = isIdempotent
        self.revisions = revisions
    }

    /// What a model's status and its pods come to.
    ///
    /// - Parameter instance: the name of the gateway's pod that this is; nil for one that is alone.
    public init(_ record: ModelRecord, pods: some Sequence<PodRecord>, instance: String? = nil) {
        var endpoints: [String: [Endpoint]] = [:]
        for pod in pods where !pod.hasEnded && !pod.metadata.isBeingDeleted {
            guard let address = pod.address, let name = pod.revision else { continue }
            let port = record.revisions[name]?.port ?? record.port
            endpoints[name, default: []].append(
                Endpoint(
                    pod: pod.metadata.uid, address: address, port: port, isReady: pod.isReady,
                    probe: pod.probe(port: port)))
        }
        self.init(
            model: record.metadata.key, port: record.gatewayPort, hosts: record.hosts,
            isIdempotent: record.isIdempotent, isAnalysed: record.isAnalysed, callers: record.callers,
            generation: record.trafficGeneration,
            revisions: record.traffic.map { share in
                RevisionRoute(
                    share: share, deployment: record.revisions[share.revision]?.deployment ?? share.revision,
                    concurrency: record.concurrency(for: instance),
                    endpoints: (endpoints[share.revision] ?? []).sorted { $0.pod < $1.pod })
            })
    }
}

/// A revision and its pods.
public struct RevisionRoute: Sendable, Hashable {
    /// Its part of the requests.
    public var share: TrafficShare
    /// What is scaled to wake it.
    public var deployment: String
    /// How many requests each of its pods may have from here at a time; nil for as many as come.
    public var concurrency: Int?
    /// Its pods that have an address and are not about to go, ordered by uid.
    public var endpoints: [Endpoint]

    /// A revision by its parts.
    public init(share: TrafficShare, deployment: String, concurrency: Int? = nil, endpoints: [Endpoint]) {
        self.share = share
        self.deployment = deployment
        self.concurrency = concurrency
        self.endpoints = endpoints
    }
}

/// A pod as one connects to it.
public struct Endpoint: Sendable, Hashable {
    /// The pod's uid.
    public var pod: String
    /// An IP address.
    public var address: String
    public var port: Int
    /// The kubelet says so.
    public var isReady: Bool
    /// How to find out sooner.
    public var probe: PodProbe

    /// As a Host field has it.
    var hostField: String { address.contains(":") ? "[\(address)]:\(port)" : "\(address):\(port)" }

    /// A pod by its parts.
    public init(pod: String, address: String, port: Int, isReady: Bool, probe: PodProbe = .connect) {
        self.pod = pod
        self.address = address
        self.port = port
        self.isReady = isReady
        self.probe = probe
    }
}
