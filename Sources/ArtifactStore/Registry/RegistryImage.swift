/// An image as pods name it, where a kubelet takes it from: `wine` is the tag `latest` of `library/wine` at Docker's registry.
public struct RegistryImage: Sendable, Hashable {
    public let repository: RegistryRepository
    public let tag: String
    /// What a file of credentials calls the registry.
    public let credentialsHost: String

    /// - Throws: ``ArtifactError`` where the text names no image, or one by its digest: of that nothing is to be found out.
    public init(_ text: String) throws(ArtifactError) {
        guard !text.contains("@") else { throw .malformed("\(text) names a digest already") }
        var rest = Substring(text)
        let first = rest.prefix { $0 != "/" }
        // A first part is a host only where it looks like one (containerd's and Docker's rule for short names).
        let hasHost =
            first.endIndex != rest.endIndex && (first.contains(".") || first.contains(":") || first == "localhost")
        var host = "docker.io"
        if hasHost {
            host = String(first)
            rest = rest[rest.index(after: first.endIndex)...]
        }
        var tag = "latest"
        if let colon = rest.lastIndex(of: ":") {
            tag = String(rest[rest.index(after: colon)...])
            rest = rest[..<colon]
        }
        try Tag.check(tag)
        let isDocker = host == "docker.io" || host == "index.docker.io"
        let name = isDocker && !rest.contains("/") ? "library/\(rest)" : String(rest)
        repository = try RegistryRepository(host: isDocker ? "registry-1.docker.io" : host, name: name)
        credentialsHost = isDocker ? "index.docker.io" : host
        self.tag = tag
    }
}
