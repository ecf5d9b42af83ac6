import HTTPServer

/// What the gateway accepts, how long it waits, and how much it holds.
public struct GatewayLimits: Sendable, Hashable {
    /// Of heads and bodies of requests, and the waits for them. A request's body is passed on as it comes and is never
    /// held whole, so its limit costs no memory.
    public var server: HTTPServerLimits
    /// For a client's TLS handshake; beyond, its connection is closed.
    public var handshakeTimeout: Duration = .seconds(10)
    /// For the API server's word of who calls; beyond, 503.
    public var reviewTimeout: Duration = .seconds(10)
    /// Requests that wait for that, of each thread; beyond, 503.
    public var reviewedRequests = 1_000
    /// For a connection to a pod to come about.
    public var connectTimeout: Duration = .seconds(3)
    /// From the end of a request to the head of its response; beyond, 504.
    public var responseTimeout: Duration = .seconds(300)
    /// Between two pieces of a response's body.
    public var responseIdleTimeout: Duration = .seconds(600)
    /// Connections to a pod, of each thread.
    public var connectionsPerPod = 1024
    /// Connections to a pod that are being made, of each thread: a server that has just begun has a short queue.
    public var dialsPerPod = 16
    /// How long a connection to a pod is kept without a request.
    public var podIdleTimeout: Duration = .seconds(60)
    /// Requests of a model that wait for a pod; beyond, 503.
    public var heldRequests = 20_000
    /// Their bytes that have been read; beyond, 503.
    public var heldBytes = 64 << 20
    /// How long a request waits for a model that wakes up; beyond, 503.
    public var wakeTimeout: Duration = .seconds(120)
    /// How long a request waits for a pod of a model that is awake; beyond, 503.
    public var unreadyTimeout: Duration = .seconds(15)
    /// Of the body of a request to an idempotent model, how much is kept so that it can be sent again.
    public var replayBytes = 1 << 20
    /// How long requests in flight may go on after ``drainDelay``; for half of it connections are taken that still come.
    public var drainTimeout: Duration = .seconds(60)
    /// How long new connections are still taken after the order to stop, while the cluster takes the gateway off its lists: until
    /// for so long none has come.
    public var drainDelay: Duration = .seconds(5)

    /// The defaults.
    public init() {
        server = HTTPServerLimits()
        server.body = 1 << 30
        server.connections = 32_768
    }
}
