/// An image as a pod names it: `registry.local/wine:1.0`, `wine@sha256:…`, or both.
public struct ImageReference: Sendable, Hashable, CustomStringConvertible {
    /// Without tag and digest.
    public var repository: String
    /// Nil where only a digest is named.
    public var tag: String?
    /// 64 lower-case hexadecimal digits.
    public var digest: String?

    /// Nil where the text is no reference. A reference with neither tag nor digest means `latest`.
    public init?(_ text: String) {
        var rest = Substring(text)
        if let at = rest.lastIndex(of: "@") {
            let named = rest[rest.index(after: at)...]
            guard named.hasPrefix("sha256:") else { return nil }
            let hex = named.dropFirst(7)
            guard hex.utf8.count == 64, hex.utf8.allSatisfy(Self.isHexDigit) else { return nil }
            digest = String(hex)
            rest = rest[..<at]
        }
        // A colon before the last slash belongs to the registry's port.
        let nameStart = rest.lastIndex(of: "/").map { rest.index(after: $0) } ?? rest.startIndex
        if let colon = rest[nameStart...].firstIndex(of: ":") {
            let tag = rest[rest.index(after: colon)...]
            guard !tag.isEmpty, tag.utf8.count <= 128 else { return nil }
            self.tag = String(tag)
            rest = rest[..<colon]
        } else if digest == nil {
            tag = "latest"
        }
        guard !rest.isEmpty, rest.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else { return nil }
        repository = String(rest)
    }

    private static func isHexDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
    }

    /// `registry.local/wine:1.0`, the digest left out.
    public var tagged: String { "\(repository):\(tag ?? "latest")" }

    public var description: String {
        repository + (tag.map { ":\($0)" } ?? "") + (digest.map { "@sha256:\($0)" } ?? "")
    }
}

/// `imagePullPolicy` of a container.
public enum ImagePullPolicy: String, Sendable, Hashable {
    case always = "Always"
    case ifNotPresent = "IfNotPresent"
    case never = "Never"
}

/// An image in the node's store.
public struct ResolvedImage: Sendable, Hashable {
    /// `registry.local/wine@sha256:…`, as a container's status shows it.
    public var imageID: String
    /// The snapshot's directory.
    public var directory: String
    /// Whether a snapshot was made or a tag read again, which is what a kubelet calls a pull.
    public var wasPulled: Bool
}

/// Why an image cannot be had.
public struct ImageError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Reason: String, Sendable, Hashable {
        case invalidName = "InvalidImageName"
        case pull = "ErrImagePull"
        case neverPull = "ErrImageNeverPull"
    }

    public var reason: Reason
    public var message: String
    public var description: String { message }
}
