import HTTPTransport
import OpenSSL

/// Sends one blob: by one request where it is small, else in parts, of which the store makes an object by the last
/// request.
struct ObjectUpload {
    private static let mostParts = 10_000

    let client: BucketClient
    let patience: Patience
    /// In bytes; only the last part has fewer.
    let partSize: Int
    let content: any BlobContent
    let blob: ArtifactManifest.Blob
    let progress: Progress

    private var name: String { BucketStore.name(blob.digest) }

    /// Sends it unless it is there. An upload that the store has forgotten begins anew.
    func run() async throws(ArtifactError) {
        var furthest = 0
        try await patience.run(progress: { furthest }) { () async throws(ArtifactError) in
            if try await patience.run({ () async throws(ArtifactError) in try await isThere() }) { return }
            guard blob.size > partSize else { return try await sendWhole() }
            do throws(ArtifactError) {
                try await sendParts(&furthest)
            } catch .lostUpload(let failure) {
                throw .store(StoreFailure("\(failure)", isTransient: true))
            }
        }
        progress(blob.size - furthest)
    }

    /// Something of another size under its name is not it, and is replaced.
    private func isThere() async throws(ArtifactError) -> Bool {
        let request = client.request(.head, name)
        let response = try await client.send(request)
        switch response.status {
        case 200:
            guard response.headers["Content-Length"] == "\(blob.size)" else { return false }
            return try await client.touch(name, blob.size, response)
        case 404: return false
        default: throw try await client.explained(request, response)
        }
    }

    /// Reads the content and hands it on part by part; its end comes only where it has the blob's digest.
    private func read(
        _ size: Int, _ take: (_ part: inout [UInt8], _ isLast: Bool) async throws(ArtifactError) -> Void
    ) async throws(ArtifactError) {
        var part: [UInt8] = []
        part.reserveCapacity(min(size, blob.size))
        var hash = SHA256()
        var count = 0
        try await content.pieces { (bytes) async throws(ArtifactError) in
            hash.update(bytes)
            count += bytes.count
            guard count <= blob.size else { throw changed }
            var rest = bytes[...]
            while !rest.isEmpty {
                let taken = min(size - part.count, rest.count)
                part += rest.prefix(taken)
                rest = rest.dropFirst(taken)
                if part.count == size, count - rest.count < blob.size { try await take(&part, false) }
            }
        }
        guard Digest(hash) == blob.digest, count == blob.size else { throw changed }
        try await take(&part, true)
    }

    private var changed: ArtifactError {
        .malformed("what was to become \(blob.digest) was something else when it was read to be sent")
    }

    private func sendWhole() async throws(ArtifactError) {
        try await read(max(1, blob.size)) { (bytes, _) async throws(ArtifactError) in
            let request = client.request(.put, name, body: bytes)
            try await patience.run { () async throws(ArtifactError) in
                let response = try await client.send(request)
                guard response.status == 200 else { throw await client.failure(request, response) }
            }
        }
    }

    // MARK: In parts

    private func sendParts(_ furthest: inout Int) async throws(ArtifactError) {
        let id = try await patience.run { () async throws(ArtifactError) in try await begin() }
        do throws(ArtifactError) {
            var tags: [String] = []
            var sent = 0
            let size = max(partSize, (blob.size + Self.mostParts - 1) / Self.mostParts)
            try await read(size) { (part, _) async throws(ArtifactError) in
                tags.append(try await send(part, number: tags.count + 1, of: id))
                sent += part.count
                part.removeAll(keepingCapacity: true)
                if sent > furthest {
                    progress(sent - furthest)
                    furthest = sent
                }
            }
            try await patience.run { () async throws(ArtifactError) in try await finish(id, tags) }
        } catch {
            await abandon(id)
            throw error
        }
    }

    private func begin() async throws(ArtifactError) -> String {
        let request = client.request(.post, name, query: [("uploads", "")], body: [])
        let response = try await client.send(request)
        guard response.status == 200 else { throw await client.failure(request, response) }
        guard let answer = XMLAnswer(try await client.body(request, response)), let id = answer["UploadId"], !id.isEmpty
        else { throw .malformed("s3://\(client.location) takes an upload and does not say its id") }
        return id
    }

    /// Answers with the part's tag. A part that is sent twice takes the place of itself.
    private func send(_ part: [UInt8], number: Int, of id: String) async throws(ArtifactError) -> String {
        let request = client.request(
            .put, name, query: [("partNumber", "\(number)"), ("uploadId", id)], body: part)
        return try await patience.run { () async throws(ArtifactError) in
            let response = try await client.send(request)
            guard response.status == 200 else { throw await failure(request, response) }
            guard let tag = response.headers["ETag"] else {
                throw .malformed("s3://\(client.location) takes a part of an upload and gives it no ETag")
            }
            return tag
        }
    }

    /// Makes an object of the parts. The store may say that it will, and at the end that it has not.
    private func finish(_ id: String, _ tags: [String]) async throws(ArtifactError) {
        let parts = tags.enumerated().map { index, tag in
            "<Part><PartNumber>\(index + 1)</PartNumber><ETag>\(xmlEscaped(tag))</ETag></Part>"
        }
        let document = "<CompleteMultipartUpload>\(parts.joined())</CompleteMultipartUpload>"
        let request = client.request(
            .post, name, query: [("uploadId", id)], headers: ["Content-Type": "application/xml"],
            body: Array(document.utf8))
        let response = try await client.send(request)
        guard response.status == 200 else { throw await failure(request, response) }
        let answer = XMLAnswer(try await client.body(request, response))
        // Of the element around it not all stores have the same name.
        if let answer, answer.root != "Error", answer["ETag"] != nil { return }
        let complaint = BucketComplaint(response, answer)
        guard case .store(let failure) = client.failure(request, complaint) else { return }
        throw complaint.isLostUpload ? .lostUpload(failure) : .store(StoreFailure("\(failure)", isTransient: true))
    }

    private func failure(_ request: HTTPRequest, _ response: HTTPResponse) async -> ArtifactError {
        let complaint = await client.complaint(response)
        let error = client.failure(request, complaint)
        guard case .store(let failure) = error, complaint.isLostUpload else { return error }
        return .lostUpload(failure)
    }

    /// Frees what the parts take up, if the store is there to hear of it.
    private func abandon(_ id: String) async {
        var request = client.request(.delete, name, query: [("uploadId", id)])
        request.outlivesTask = true
        request.delivery = .unary(timeout: .seconds(10))
        _ = try? await client.send(request)
    }
}
