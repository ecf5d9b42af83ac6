import JSON

/// The answer of `/version`.
public struct ServerVersion: Sendable, Hashable, CustomStringConvertible {
    /// The first part: 1.
    public var major: Int
    /// The second part: 20, also where the server says `20+`.
    public var minor: Int
    /// `v1.31.2+k3s1`
    public var gitVersion: String

    /// Nil where a number is missing. Some providers write the minor version as `27+`.
    public init?(json: JSONValue) {
        func number(_ key: String) -> Int? { Int((json[key]?.string ?? "").prefix { $0.isASCII && $0.isNumber }) }
        guard let major = number("major"), let minor = number("minor") else { return nil }
        self.major = major
        self.minor = minor
        gitVersion = json["gitVersion"]?.string ?? ""
    }

    /// As the server prints it.
    public var description: String { gitVersion.isEmpty ? "v\(major).\(minor)" : gitVersion }
}
