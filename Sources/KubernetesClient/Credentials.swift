/// How requests authenticate. A client certificate of a file is not here: it belongs to the connection.
public enum Credentials: Sendable, Hashable {
    case none
    case token(Secret)
    /// A bearer token that is read again as it rotates: at most every 60 s, and when the server refuses it.
    case tokenFile(path: String)
    /// For proxies that authenticate in front of the server; API servers have known none since Kubernetes 1.19.
    case basic(username: String, password: Secret)
    /// A program gives the token, the client certificate or both, and is run again before they expire.
    case plugin(PluginCredentials)
    /// Every request asks to be treated as another user's. The user of the credentials needs the right to impersonate.
    indirect case impersonating(Impersonation, by: Credentials)

    /// A bearer token that never changes.
    public static func token(_ value: String) -> Credentials { .token(Secret(value)) }
}

/// Why there are no credentials to send; names the file or the program, never what it said.
public struct CredentialError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What was tried, and what came of it.
    public var message: String
    /// The task that asked for them was cancelled.
    public var isCancelled: Bool

    /// Why there are no credentials.
    public init(_ message: String, isCancelled: Bool = false) {
        self.message = message
        self.isCancelled = isCancelled
    }

    static var cancelled: CredentialError { CredentialError("the task was cancelled", isCancelled: true) }

    /// The message.
    public var description: String { message }
}
