import APIServerModel
import JSON
import KubernetesModel

/// What is simulated: a story, the faults, how many replicas, and the order that a seed gives to everything.
public struct Simulation: Sendable {
    /// What the operator authenticates with; it must never be seen anywhere.
    static let token = "canary-7f3a9c"

    public var seed: UInt64
    public var story: Story
    public var faults: [Fault]
    /// Operators that run at once.
    public var replicas: Int
    /// Whether a Lease says which of them works. Safety must hold without, too.
    public var elects: Bool
    /// Whether another namespace has a model of the same name, which nobody touches.
    public var hasNeighbour = false
    /// A mistake that the operators have, to see whether it is caught.
    public var planted: PlantedBug?

    public init(seed: UInt64, story: Story, faults: [Fault] = [], replicas: Int = 1, elects: Bool = false) {
        self.seed = seed
        self.story = story
        self.faults = faults
        self.replicas = replicas
        self.elects = elects
    }

    /// What came of it.
    public struct Outcome: Sendable {
        public var violation: Violation?
        /// Of everything that happened, in order.
        public var traceHash: UInt64 = 0
        /// Only where asked for.
        public var trace: [String] = []
        /// How often each perturbation came to pass, by its number.
        public var perturbations: [String: Int] = [:]
        public var statesChecked = 0
        /// Of the operators, but for Events.
        public var writes = 0
        /// Writes of Events.
        public var events = 0
        public var endState: EndState
        /// Objects that operators made, by kind.
        public var creations: [String: Int] = [:]
        /// Of the operators together, in the hour of silence.
        public var requestsAtRest = 0
        public var jobsRun = 0
        /// Deployments that a gateway has woken.
        public var wakeUps = 0
        /// What users got.
        public var requests = RequestCounts()
    }

    /// Requests of users, by what became of them.
    public struct RequestCounts: Sendable, Hashable {
        public var all = 0
        /// Answered by a pod.
        public var served = 0
        /// 503 with Retry-After.
        public var refused = 0
        /// 502, or a broken connection, because something was killed.
        public var broken = 0
        /// Nobody took the connection.
        public var unreached = 0

        public init() {}
    }

    /// Runs it to its end, or to the first violation.
    ///
    /// - Parameters:
    ///   - template: a server with the resources installed, see ``installed(definitions:)``.
    ///   - reference: how the story ends when nothing goes wrong; nil to check only what holds by itself.
    public func run(on template: APIServer, reference: Outcome? = nil, keepsTrace: Bool = false) async -> Outcome {
        let world = World(self, template: template, keepsTrace: keepsTrace)
        await world.run()
        return world.outcome(reference: reference)
    }

    /// A server to begin simulations with.
    ///
    /// - Parameter definitions: the CustomResourceDefinitions of both kinds.
    public static func installed(definitions: [JSONValue]) -> APIServer {
        var options = APIServerOptions()
        options.bookmarkInterval = .seconds(60)
        var server = APIServer(options: options, now: Timestamp(sinceEpoch: SimulatedTime.epoch))
        let now = Timestamp(sinceEpoch: SimulatedTime.epoch)
        func post(_ path: String, _ body: JSONValue) {
            let request = APIRequest(
                method: "POST", target: path, headers: ["content-type": "application/json"],
                body: body.serializedBytes())
            _ = server.handle(request, now: now)
        }
        for definition in definitions { post(ResourceType.customResourceDefinitions.path(), definition) }
        for namespace in [ToyModel.namespace, ToyModel.neighbour, GatewayFleet.namespace] {
            post(ResourceType.namespaces.path(), ["metadata": ["name": .string(namespace)]])
        }
        server.tick(now: now)
        return server
    }
}
