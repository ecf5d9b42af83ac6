/// How the gateway's program runs.
public struct GatewayConfiguration: Sendable {
    /// Where something is served.
    public struct Address: Sendable, Hashable {
        public var host: String
        public var port: Int

        /// An address by its parts.
        public init(host: String, port: Int) {
            self.host = host
            self.port = port
        }
    }

    /// The one namespace whose models it serves; nil for all.
    public var namespace: String?
    /// The data plane.
    public var gateway: Gateway.Configuration
    /// Where `/livez`, `/readyz` and `/metrics` are served; nil for nowhere.
    public var health: Address?

    /// A configuration.
    public init(namespace: String? = nil, gateway: Gateway.Configuration = .init(), health: Address? = nil) {
        self.namespace = namespace
        self.gateway = gateway
        self.health = health
    }
}
