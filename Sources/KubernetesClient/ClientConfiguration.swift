import HTTPTransport

/// Which server to talk to, as whom, and where things live unless said otherwise.
public struct ClientConfiguration: Sendable {
    public var transport: TransportConfiguration
    public var credentials: Credentials
    /// The namespace of the context or of the pod; `default` where none is named.
    public var namespace: String

    public init(
        transport: TransportConfiguration, credentials: Credentials = .none, namespace: String = "default"
    ) {
        self.transport = transport
        self.credentials = credentials
        self.namespace = namespace
    }
}

/// Why no configuration could be read: which file or variable, and what about it.
public struct ConfigurationError: Error, Sendable, Hashable, CustomStringConvertible {
    public var message: String

    public init(_ message: String) { self.message = message }

    public var description: String { message }
}
