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

    /// Where it tells whoever leads what there is to do, by the files of which directory; nil for nowhere.
    public var load: Load?

    /// Where `tls.crt` and `tls.key` of ``Gateway/Configuration/sharedTLSPort`` are; nil where there is no such port.
    public var tlsDirectory: String?

    /// Where what there is to do is told.
    public struct Load: Sendable, Hashable {
        public var address: Address
        /// With tls.crt, tls.key and token.
        public var directory: String

        public init(address: Address, directory: String) {
            self.address = address
            self.directory = directory
        }
    }

    /// A configuration.
    public init(
        namespace: String? = nil, gateway: Gateway.Configuration = .init(), health: Address? = nil, load: Load? = nil,
        tlsDirectory: String? = nil
    ) {
        self.tlsDirectory = tlsDirectory
        self.load = load
        self.namespace = namespace
        self.gateway = gateway
        self.health = health
    }
}
