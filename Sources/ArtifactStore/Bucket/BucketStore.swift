import HTTPTransport
import KubernetesModel
import OpenSSL

/// Artifacts in a bucket (`s3://`) of a store that speaks S3's REST API, under the names that ``DirectoryStore`` has for
/// files.
///
/// What breaks off goes on where it was; a store that is away is waited for as long as `patience` has it. No redirect is
/// followed.
public struct BucketStore: BlobStore {
    /// Makes a transport to `https://host:port` that signs each request.
    public typealias Connect =
        @Sendable (_ server: String, _ signing: RequestSigning) throws(HTTPTransportError) -> any HTTPTransport

    /// Of an upload; stores take no less than 5 MiB at a time.
    static let partSize = 8 << 20

    let client: BucketClient
    let patience: Patience
    var partSize = Self.partSize
    /// The tags of an answer, of which there are at most 1000.
    var pageSize = 1000

    public init(
        _ location: BucketLocation, access: BucketAccess, patience: Patience, connect: Connect
    ) throws(ArtifactError) {
        client = try BucketClient(location, access: access, connect: connect)
        self.patience = patience
    }

    static func name(_ digest: Digest) -> String { "blobs/sha256/\(digest.hex)" }

    // MARK: Blobs

    /// What is there already is not sent again. Content whose digest is not known is read twice: to learn it, and to send
    /// it.
    public func add(
        _ content: any BlobContent, _ progress: @escaping Progress
    ) async throws(ArtifactError) -> ArtifactManifest.Blob {
        let blob = try await content.measured()
        let upload = ObjectUpload(
            client: client, patience: patience, partSize: partSize, content: content, blob: blob, progress: progress)
        try await upload.run()
        return blob
    }

    public func pieces(
        of blob: ArtifactManifest.Blob, _ take: (UnsafeRawBufferPointer) async throws(ArtifactError) -> Void
    ) async throws(ArtifactError) {
        var tag: String?
        try await patience.receive(take) { (offset) async throws(ArtifactError) in
            try await open(blob, from: offset, &tag)
        }
    }

    /// The bytes of a blob from `offset`, or from its beginning where the store knows no ranges.
    /// - Parameter tag: Of what was read so far, so that the rest is not of something else.
    private func open(
        _ blob: ArtifactManifest.Blob, from offset: Int, _ tag: inout String?
    ) async throws(ArtifactError) -> Download {
        var request = client.request(.get, Self.name(blob.digest))
        if offset > 0 {
            request.headers["Range"] = "bytes=\(offset)-"
            request.headers["If-Match"] = tag
        }
        let sent = request
        func download(_ body: HTTPBody, from start: Int) -> Download {
            Download(body: body, start: start) { client.failure(sent, $0) }
        }
        let response = try await client.send(request)
        switch response.status {
        case 200:
            tag = response.headers["ETag"]
            return download(response.body, from: 0)
        case 206 where response.headers["Content-Range"]?.hasPrefix("bytes \(offset)-") == true:
            return download(response.body, from: offset)
        // All had come when the connection broke.
        case 416 where offset == blob.size: return download(HTTPBody { nil }, from: offset)
        default:
            let complaint = await client.complaint(response)
            if complaint.isMissingObject { throw .missing(blob.digest) }
            throw client.failure(request, complaint)
        }
    }

    // MARK: Manifests

    public func add(_ manifest: ArtifactManifest, tag: String?) async throws(ArtifactError) {
        if let tag { try Tag.check(tag) }
        _ = try await add(WholeContent(manifest.bytes)) { _ in }
        guard let tag else { return }
        let request = client.request(.put, "tags/\(tag)", body: Array("\(manifest.digest)\n".utf8))
        try await patience.run { () async throws(ArtifactError) in
            let response = try await client.send(request)
            guard response.status == 200 else { throw await client.failure(request, response) }
        }
    }

    public func manifest(_ digest: Digest) async throws(ArtifactError) -> ArtifactManifest {
        guard let bytes = try await contents(Self.name(digest), limit: ArtifactManifest.largest) else {
            throw .missing(digest)
        }
        return try ArtifactManifest(bytes: bytes, digest: digest)
    }

    /// Nil where there is no such object.
    private func contents(_ name: String, limit: Int) async throws(ArtifactError) -> [UInt8]? {
        try await patience.run { () async throws(ArtifactError) -> [UInt8]? in
            let request = client.request(.get, name)
            let response = try await client.send(request)
            guard response.status == 200 else {
                let complaint = await client.complaint(response)
                if complaint.isMissingObject { return nil }
                throw client.failure(request, complaint)
            }
            do throws(HTTPTransportError) { return try await response.body.collect(limit: limit) } catch {
                guard case .tooLarge = error.code else { throw client.failure(request, error) }
                throw .malformed("\(client.location)/\(name) has more than \(limit) bytes, which it cannot have")
            }
        }
    }

    // MARK: Tags

    public func resolve(_ tag: String) async throws(ArtifactError) -> Digest {
        try Tag.check(tag)
        guard let bytes = try await contents("tags/\(tag)", limit: 4096) else { throw .unknownTag(tag) }
        let text = String(decoding: bytes, as: UTF8.self)
        guard text.hasSuffix("\n"), let digest = Digest(String(text.dropLast())) else {
            throw .malformed("s3://\(client.location)/tags/\(tag) has no digest in it")
        }
        return digest
    }

    public func tags() async throws(ArtifactError) -> [String] {
        // What others have put there is no tag.
        try await objects(in: "tags/").map(\.name).filter { (try? Tag.check($0)) != nil }
            .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    struct Object: Hashable {
        /// Without what it was asked for by.
        var name: String
        var size: Int
        var time: Timestamp
    }

    /// The objects whose names begin so, and have no further slash.
    func objects(in directory: String) async throws(ArtifactError) -> [Object] {
        var result: [Object] = []
        var next: String?
        repeat {
            let token = next
            let page = try await patience.run { () async throws(ArtifactError) in
                try await objects(in: directory, after: token)
            }
            result += page.objects
            // A store that leads back to where one was is not followed for ever.
            guard page.next != token else { break }
            next = page.next
        } while next != nil
        return result
    }

    private func objects(
        in directory: String, after token: String?
    ) async throws(ArtifactError) -> (objects: [Object], next: String?) {
        let directory = client.location.key(directory)
        var query = [
            ("list-type", "2"), ("encoding-type", "url"), ("delimiter", "/"), ("max-keys", "\(pageSize)"),
            ("prefix", directory),
        ]
        if let token { query.append(("continuation-token", token)) }
        let request = client.request(query: query)
        let response = try await client.send(request)
        guard response.status == 200 else { throw await client.failure(request, response) }
        let answer = XMLAnswer(try await client.body(request, response))
        let (keys, sizes, times) = ("Contents/Key", "Contents/Size", "Contents/LastModified")
        guard let answer, answer.root == "ListBucketResult", answer.all(keys).count == answer.all(sizes).count,
            answer.all(keys).count == answer.all(times).count
        else { throw .malformed("the list of objects in s3://\(client.location) is not what S3 lists objects by") }
        var objects: [Object] = []
        for (key, (size, time)) in zip(answer.all(keys), zip(answer.all(sizes), answer.all(times))) {
            guard let key = Self.decoded(key), key.hasPrefix(directory), let size = Int(size),
                let time = Timestamp(time)
            else { continue }
            objects.append(Object(name: String(key.dropFirst(directory.count)), size: size, time: time))
        }
        return (objects, answer["IsTruncated"] == "true" ? answer["NextContinuationToken"] : nil)
    }

    /// A key as `encoding-type=url` has it: percent-encoded, and with a plus for a space.
    static func decoded(_ key: String) -> String? {
        var result: [UInt8] = []
        var rest = key.utf8[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "+"): result.append(UInt8(ascii: " "))
            case UInt8(ascii: "%"):
                guard let value = UInt8("\(Substring(rest.prefix(2)))", radix: 16), rest.count >= 2 else { return nil }
                result.append(value)
                rest = rest.dropFirst(2)
            default: result.append(byte)
            }
        }
        return String(validating: result, as: UTF8.self)
    }
}
