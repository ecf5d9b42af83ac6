/// How requests authenticate. A client certificate is not here: it belongs to the connection.
public enum Credentials: Sendable, Hashable {
    case none
    case token(Secret)
    /// A bearer token that is read again as it rotates: at most every 60 s, and when the server refuses it.
    case tokenFile(path: String)

    public static func token(_ value: String) -> Credentials { .token(Secret(value)) }
}
