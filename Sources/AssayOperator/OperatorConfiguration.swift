import AssayCore
import ControllerRuntime
import KubernetesModel

/// How the operator runs.
public struct OperatorConfiguration: Sendable {
    /// The one namespace to work in; nil for all.
    public var namespace: String?
    /// How many objects of each kind are worked on at once.
    public var workers: Int
    /// The laxest pod security level that rendered pods are held to, whatever their namespace allows.
    public var podSecurity: PodSecurityLevel
    /// Names this copy in events; the pod's name in a cluster.
    public var instance: String
    /// The pod it runs in, from which it learns its own image; nil for none.
    public var pod: ObjectKey?
    /// The image of this program, for pods that run it too; nil to learn it from `pod`.
    public var image: String?
    /// Where `/livez`, `/readyz` and `/metrics` are served; nil for nowhere.
    public var health: Address?
    /// How long a reconcile may go on after the order to stop.
    public var drainDeadline: Duration

    /// Where trainings push to; nil where they cannot.
    public var push: Push?

    /// Where the gateway's pods are; nil where there is none.
    public var gateway: Gateway?

    /// By which Lease one of several replicas leads; nil where there is only one.
    public var election: LeaderElectionConfiguration?

    public struct Gateway: Sendable, Hashable {
        /// The namespace of its pods, which is the operator's own as a rule.
        public var namespace: String
        /// The labels that they have.
        public var selector: String

        /// The Secret with what it serves its load by; its key and certificate are the operator's making.
        public var secret: ObjectKey { ObjectKey(namespace: namespace, name: "assay-gateway-tls") }

        public static let defaultSelector = GatewayPod.labels.map { "\($0.key)=\($0.value)" }.joined(separator: ",")

        public init(namespace: String, selector: String = defaultSelector) {
            self.namespace = namespace
            self.selector = selector
        }
    }

    public struct Address: Sendable, Hashable {
        public var host: String
        public var port: Int

        public init(host: String, port: Int) {
            self.host = host
            self.port = port
        }

        /// Parses `host:port`, `[::1]:8080` or `:8080`, which means every interface.
        public init?(_ text: String) {
            guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
                return nil
            }
            var host = String(text[..<colon])
            if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
            self.init(host: host.isEmpty ? "0.0.0.0" : host, port: Int(port))
        }
    }

    public init(
        namespace: String? = nil, workers: Int = 4, podSecurity: PodSecurityLevel = .baseline,
        instance: String = "assay", pod: ObjectKey? = nil, image: String? = nil, health: Address? = nil,
        drainDeadline: Duration = .seconds(20), push: Push? = nil, gateway: Gateway? = nil,
        election: LeaderElectionConfiguration? = nil
    ) {
        self.namespace = namespace
        self.workers = workers
        self.podSecurity = podSecurity
        self.instance = instance
        self.pod = pod
        self.image = image
        self.health = health
        self.drainDeadline = drainDeadline
        self.push = push
        self.gateway = gateway
        self.election = election
    }
}
