import Concurrency
import HTTPTransport
import JSON
import OpenSSL

/// Artifacts in a repository of a registry (`oci://`), by OCI's distribution specification 1.1.
///
/// What breaks off goes on where it was; a registry that is away is waited for as long as `patience` has it. No redirect is followed.
public struct RegistryStore: BlobStore {
    /// How long nothing may come of a transfer.
    static let idle: Duration = .seconds(60)

    /// Of an upload; the stores behind registries take no less than 5 MiB at a time.
    static let partSize = 8 << 20

    /// What one is going to do, as tokens have it.
    public enum Rights: String, Sendable, Hashable {
        case read = "pull"
        case write = "pull,push"
        case remove = "pull,delete"
    }

    let client: RegistryClient
    let patience: Patience
    var partSize = Self.partSize

    /// - Parameters:
    ///   - isPlain: By http, in the clear: for a registry on this machine.
    ///   - rights: What a token is asked for; some registries refuse one altogether for a right that one has not.
    ///   - connect: Makes a transport to `https://host:port`.
    public init(
        _ repository: RegistryRepository, isPlain: Bool = false, rights: Rights = .write,
        credentials: RegistryCredentials? = nil, patience: Patience,
        connect: @escaping @Sendable (_ server: String) throws(HTTPTransportError) -> any HTTPTransport
    ) throws(ArtifactError) {
        client = try RegistryClient(
            repository, isPlain: isPlain, rights: rights, credentials: credentials, time: patience.time,
            connect: connect)
        self.patience = patience
    }

    // MARK: Blobs

    /// What is there already is not sent again. Content whose digest is not known is read twice: to learn it, and to send it.
    public func add(
        _ content: any BlobContent, _ progress: @escaping Progress
    ) async throws(ArtifactError) -> ArtifactManifest.Blob {
        let blob = try await content.measured()
        let upload = BlobUpload(
            client: client, patience: patience, partSize: partSize, content: content, blob: blob, progress: progress)
        try await upload.run()
        return blob
    }

    public func pieces(
        of blob: ArtifactManifest.Blob, _ take: (UnsafeRawBufferPointer) async throws(ArtifactError) -> Void
    ) async throws(ArtifactError) {
        try await patience.receive(take) { (offset) async throws(ArtifactError) in try await open(blob, from: offset) }
    }

    /// The bytes of a blob from `offset`, or from its beginning where the registry knows no ranges.
    private func open(
        _ blob: ArtifactManifest.Blob, from offset: Int
    ) async throws(ArtifactError) -> Download {
        var request = HTTPRequest(
            .get, client.target("blobs/\(blob.digest)"), delivery: .stream(idleTimeout: Self.idle))
        if offset > 0 { request.headers["Range"] = "bytes=\(offset)-" }
        let response = try await client.send(request)
        let sent = request
        func download(_ body: HTTPBody, from start: Int) -> Download {
            Download(body: body, start: start) { client.failure(sent, $0) }
        }
        switch response.status {
        case 200: return download(response.body, from: 0)
        case 206 where response.headers["Content-Range"]?.hasPrefix("bytes \(offset)-") == true:
            return download(response.body, from: offset)
        // All had come when the connection broke.
        case 416 where offset == blob.size: return download(HTTPBody { nil }, from: offset)
        case 404: throw .missing(blob.digest)
        default: throw await client.failure(request, response)
        }
    }

    // MARK: Manifests

    public func add(_ manifest: ArtifactManifest, tag: String?) async throws(ArtifactError) {
        if let tag { try Tag.check(tag) }
        try await patience.run { () async throws(ArtifactError) in
            let request = HTTPRequest(
                .put, client.target("manifests/\(tag ?? manifest.digest.description)"),
                headers: ["Content-Type": ArtifactManifest.mediaType], body: manifest.bytes)
            let response = try await client.send(request)
            guard response.status == 201 else { throw await client.failure(request, response) }
        }
    }

    public func manifest(_ digest: Digest) async throws(ArtifactError) -> ArtifactManifest {
        guard let bytes = try await manifestBytes(digest.description) else { throw .missing(digest) }
        return try ArtifactManifest(bytes: bytes, digest: digest)
    }

    /// The digest is that of the bytes that the registry has under the tag, whatever it says itself.
    public func resolve(_ tag: String) async throws(ArtifactError) -> Digest {
        try Tag.check(tag)
        guard let bytes = try await manifestBytes(tag) else { throw .unknownTag(tag) }
        return Digest(of: bytes)
    }

    private func manifestBytes(_ reference: String) async throws(ArtifactError) -> [UInt8]? {
        try await patience.run { () async throws(ArtifactError) -> [UInt8]? in
            let request = HTTPRequest(
                .get, client.target("manifests/\(reference)"), headers: ["Accept": ArtifactManifest.mediaType])
            let response = try await client.send(request)
            if response.status == 404 { return nil }
            guard response.status == 200 else { throw await client.failure(request, response) }
            do throws(HTTPTransportError) {
                return try await response.body.collect(limit: ArtifactManifest.largest)
            } catch {
                throw client.failure(request, error)
            }
        }
    }

    /// What kinds of manifests a kubelet takes: of one machine or of several, by OCI or by Docker.
    private static let imageTypes = [
        "application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json",
        ArtifactManifest.mediaType, "application/vnd.docker.distribution.manifest.v2+json",
    ].joined(separator: ", ")

    /// The digest that a tag leads to now, of an image of whatever kind. Asked by HEAD, which registries do not count as a pull.
    public func imageDigest(_ tag: String) async throws(ArtifactError) -> Digest {
        try Tag.check(tag)
        return try await patience.run { () async throws(ArtifactError) in
            let request = HTTPRequest(
                .head, client.target("manifests/\(tag)"), headers: ["Accept": Self.imageTypes])
            let response = try await client.send(request)
            if response.status == 404 { throw .unknownTag(tag) }
            guard response.status == 200 else { throw await client.failure(request, response) }
            guard let digest = response.headers["Docker-Content-Digest"].flatMap({ Digest($0) }) else {
                throw .store(StoreFailure("\(client.repository) names no digest of its tag \(tag)"))
            }
            return digest
        }
    }

    // MARK: Tags

    public func tags() async throws(ArtifactError) -> [String] {
        var result: [String] = []
        var next: String? = client.target("tags/list?n=1000")
        while let target = next {
            let (page, after) = try await patience.run { () async throws(ArtifactError) in try await tags(at: target) }
            result += page
            // A registry that leads back to where one was is not followed for ever.
            guard after != target, !page.isEmpty else { break }
            next = after
        }
        return result.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    private func tags(at target: String) async throws(ArtifactError) -> ([String], next: String?) {
        let request = HTTPRequest(.get, target)
        let response = try await client.send(request)
        if response.status == 404 { return ([], nil) }
        guard response.status == 200 else { throw await client.failure(request, response) }
        let body: [UInt8]
        do { body = try await response.body.collect(limit: 16 << 20) } catch { throw client.failure(request, error) }
        guard let json = try? JSONValue(parsing: body) else {
            throw .malformed("the list of tags in \(client.repository) is no JSON")
        }
        let tags = (json["tags"]?.array ?? []).compactMap(\.string)
        guard let link = response.headers["Link"] else { return (tags, nil) }
        return (tags, try client.next(link))
    }
}

extension RegistryClient {
    /// The target of the next page (RFC 8288): `</v2/x/tags/list?last=y>; rel="next"`.
    func next(_ link: String) throws(ArtifactError) -> String? {
        guard link.contains("rel=\"next\""), let first = link.firstIndex(of: "<"), let last = link.firstIndex(of: ">"),
            first < last
        else { return nil }
        return try ownTarget(String(link[link.index(after: first)..<last]))
    }

    /// The target of a URL that the registry has given for what is in it.
    func ownTarget(_ location: String) throws(ArtifactError) -> String {
        if location.hasPrefix("/"), !location.hasPrefix("//") { return location }
        guard let url = ServerURL(location), url.server.hasSuffix("://\(repository.host)") else {
            throw .store(
                StoreFailure("\(repository.host) leads to \(location.prefix { $0 != "?" }), which is not followed"))
        }
        return url.target
    }
}
