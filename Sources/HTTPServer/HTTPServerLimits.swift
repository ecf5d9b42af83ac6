/// What a server accepts from its clients, and how long it waits for them.
public struct HTTPServerLimits: Sendable, Hashable {
    /// In bytes; a larger body is answered with 413.
    public var body: Int = 8 << 20
    /// One header field or the request's target, in bytes; beyond, 431 or 414.
    public var headerLine: Int = 8 << 10
    /// All header fields, in bytes; beyond, 431.
    public var headerTotal: Int = 64 << 10
    public var headerCount: Int = 100
    /// Connections at a time; further ones are closed at once.
    public var connections: Int = 4096
    /// For a request's head, from its first byte, and from a connection's first moment.
    public var headTimeout: Duration = .seconds(10)
    /// For a request's body as a whole.
    public var bodyTimeout: Duration = .seconds(60)
    /// Between two requests.
    public var idleTimeout: Duration = .seconds(120)
    /// For a client to take what was written to it.
    public var writeTimeout: Duration = .seconds(60)
    /// For requests in flight to end, after a shutdown began.
    public var shutdownGrace: Duration = .seconds(5)

    public init() {}
}
