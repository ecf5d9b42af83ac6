import JSON

/// Who one is to a registry.
public struct RegistryCredentials: Sendable, Hashable, CustomStringConvertible, CustomReflectable {
    public var username: String
    public var password: String

    public init(username: String, password: String) {
        self.username = username
        self.password = password
    }

    /// Those for a host, of a file as `docker login` writes it and a Secret of the type `kubernetes.io/dockerconfigjson` holds it;
    /// nil where it has none.
    /// - Throws: ``ArtifactError`` where it is no such file.
    public init?(host: String, in dockerConfiguration: [UInt8]) throws(ArtifactError) {
        let json: JSONValue
        do { json = try JSONValue(parsing: dockerConfiguration) } catch {
            throw .malformed("the credentials of registries are no JSON: \(error)")
        }
        let entries = json["auths"]?.object ?? [:]
        guard let entry = entries.first(where: { Self.host(of: $0.key) == host })?.value else { return nil }
        if let username = entry["username"]?.string, let password = entry["password"]?.string {
            self.init(username: username, password: password)
            return
        }
        guard let text = entry["auth"]?.string, let bytes = Base64.decode(text),
            let pair = String(validating: bytes, as: UTF8.self), let colon = pair.firstIndex(of: ":")
        else {
            throw .malformed("auths[\"\(host)\"] has neither a username and a password nor an auth of both")
        }
        self.init(username: String(pair[..<colon]), password: String(pair[pair.index(after: colon)...]))
    }

    /// Old files have URLs there: `https://index.docker.io/v1/`.
    private static func host(of key: String) -> Substring {
        var rest = key[...]
        for scheme in ["https://", "http://"] where rest.hasPrefix(scheme) { rest = rest.dropFirst(scheme.count) }
        return rest.prefix { $0 != "/" }
    }

    /// `Basic …` (RFC 7617).
    var authorization: String { "Basic " + Base64.encode(Array("\(username):\(password)".utf8)) }

    public var description: String { "\(username), <secret>" }
    public var customMirror: Mirror { Mirror(self, children: ["username": username]) }
}
