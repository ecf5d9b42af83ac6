import HTTPTransport

/// Which server to talk to, as whom, and where things live unless said otherwise.
public struct ClientConfiguration: Sendable {
    /// Which server, and how it is reached.
    public var transport: TransportConfiguration
    /// As whom.
    public var credentials: Credentials
    /// The namespace of the context or of the pod; `default` where none is named.
    public var namespace: String

    /// A server that is known beforehand.
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
    /// Which file or variable, and what about it.
    public var message: String

    /// Says why.
    public init(_ message: String) { self.message = message }

    /// The message.
    public var description: String { message }
}
