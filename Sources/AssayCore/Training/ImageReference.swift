import OpenSSL

/// An image as a template names it.
struct ImageReference: Sendable, Hashable {
    /// Without tag and digest: `registry.local:5000/wine`.
    var repository: String
    /// `sha256:…`
    var digest: String?

    init(_ text: String) {
        var rest = Substring(text)
        if let at = rest.firstIndex(of: "@") {
            digest = ImageReference.digest(in: String(rest[at...]))
            rest = rest[..<at]
        }
        // A colon after the last slash begins a tag; before it, a port.
        let afterSlash = rest.lastIndex(of: "/").map { rest.index(after: $0) } ?? rest.startIndex
        if let colon = rest[afterSlash...].firstIndex(of: ":") { rest = rest[..<colon] }
        repository = String(rest)
    }

    func pinned(to digest: String) -> String { "\(repository)@\(digest)" }

    /// The digest of a pod's `imageID`, of which only `…@sha256:D` counts: a bare id names an image of one node and
    /// pins nothing.
    static func digest(in imageID: String) -> String? {
        guard let at = imageID.lastIndex(of: "@") else { return nil }
        return Digest(String(imageID[imageID.index(after: at)...])).map(\.description)
    }
}
