import HTTPTransport

/// Whom requests are to be treated as coming from (`kubectl --as`).
public struct Impersonation: Sendable, Hashable {
    /// In whose name.
    public var user: String
    /// Of the user.
    public var groups: [String]
    /// Of the user.
    public var uid: String?
    /// Further claims about the user, by name.
    public var extra: [String: [String]]

    /// In whose name requests are sent; the server must allow it.
    public init(user: String, groups: [String] = [], uid: String? = nil, extra: [String: [String]] = [:]) {
        self.user = user
        self.groups = groups
        self.uid = uid
        self.extra = extra
    }

    /// The header fields that say so.
    var headers: HTTPHeaders {
        var headers: HTTPHeaders = ["Impersonate-User": user]
        if let uid { headers.add("Impersonate-Uid", uid) }
        for group in groups { headers.add("Impersonate-Group", group) }
        for (key, values) in extra.sorted(by: { $0.key < $1.key }) {
            for value in values { headers.add("Impersonate-Extra-\(Self.escape(key))", value) }
        }
        return headers
    }

    /// Percent-encodes what cannot stand in a field's name, and the percent sign (as client-go's `headerKeyEscape`).
    private static func escape(_ key: String) -> String {
        let digits = Array("0123456789ABCDEF")
        return key.utf8.map { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                return String(UnicodeScalar(byte))
            default:
                if "!#$&'*+-.^_`|~".utf8.contains(byte) { return String(UnicodeScalar(byte)) }
                return "%\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])"
            }
        }.joined()
    }
}

extension Credentials {
    /// The credentials themselves, and whom they impersonate.
    var parts: (credentials: Credentials, impersonation: Impersonation?) {
        guard case .impersonating(let who, let inner) = self else { return (self, nil) }
        return (inner.parts.credentials, who)
    }
}
