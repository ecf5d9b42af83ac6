import HTTPTransport
import OpenSSL

/// Sends one blob, a part at a time. Only its last request names it: what was cut off before is nothing.
struct BlobUpload {
    let client: RegistryClient
    let patience: Patience
    /// In bytes; only the last part has fewer.
    let partSize: Int
    let content: any BlobContent
    let blob: ArtifactManifest.Blob
    let progress: Progress

    /// What has come of an upload.
    private struct Session {
        var location: String
        /// How many bytes the registry has.
        var sent = 0
    }

    /// Sends it unless it is there. An upload that the registry has forgotten begins anew.
    func run() async throws(ArtifactError) {
        var furthest = 0
        try await patience.run(progress: { furthest }) { () async throws(ArtifactError) in
            if try await patience.run({ () async throws(ArtifactError) in try await isThere() }) { return }
            do throws(ArtifactError) {
                try await send(&furthest)
            } catch .lostUpload(let failure) {
                throw .store(StoreFailure("\(failure)", isTransient: true))
            }
        }
        progress(blob.size - furthest)
    }

    private func isThere() async throws(ArtifactError) -> Bool {
        let request = HTTPRequest(.head, client.target("blobs/\(blob.digest)"))
        let response = try await client.send(request)
        switch response.status {
        case 200: return true
        case 404: return false
        default: throw await client.failure(request, response)
        }
    }

    private func send(_ furthest: inout Int) async throws(ArtifactError) {
        var session = Session(location: try await patience.run { () async throws(ArtifactError) in try await begin() })
        var part: [UInt8] = []
        part.reserveCapacity(partSize)
        try await content.pieces { (bytes) async throws(ArtifactError) in
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = min(partSize - part.count, rest.count)
                part += rest.prefix(count)
                rest = rest.dropFirst(count)
                if part.count == partSize { try await send(&part, &session, &furthest) }
            }
        }
        if !part.isEmpty { try await send(&part, &session, &furthest) }
        try await patience.run { () async throws(ArtifactError) in try await finish(session) }
    }

    private func begin() async throws(ArtifactError) -> String {
        let request = HTTPRequest(.post, client.target("blobs/uploads/"))
        let response = try await client.send(request)
        guard response.status == 202 else { throw await client.failure(request, response) }
        return try location(response)
    }

    private func location(_ response: HTTPResponse) throws(ArtifactError) -> String {
        guard let location = response.headers["Location"] else {
            throw .malformed("\(client.repository.host) takes an upload and does not say where")
        }
        return try client.ownTarget(location)
    }

    /// Sends a part; where an answer did not come, what the registry has not got of it.
    private func send(
        _ part: inout [UInt8], _ session: inout Session, _ furthest: inout Int
    ) async throws(ArtifactError) {
        let start = session.sent
        let end = start + part.count
        var mustAsk = false
        try await patience.run(progress: { session.sent }) { () async throws(ArtifactError) in
            if mustAsk { try await ask(&session, start...end) }
            guard session.sent < end else { return }
            mustAsk = true
            let rest = session.sent == start ? part : Array(part.dropFirst(session.sent - start))
            let request = HTTPRequest(
                .patch, session.location,
                headers: [
                    "Content-Type": "application/octet-stream", "Content-Range": "\(session.sent)-\(end - 1)",
                ], body: rest, delivery: .stream(idleTimeout: RegistryStore.idle))
            let response = try await client.send(request)
            guard response.status == 202 else { throw await failure(request, response) }
            session.location = try location(response)
            session.sent = end
        }
        part.removeAll(keepingCapacity: true)
        if end > furthest {
            progress(end - furthest)
            furthest = end
        }
    }

    /// How far the registry has got.
    private func ask(_ session: inout Session, _ sensible: ClosedRange<Int>) async throws(ArtifactError) {
        let request = HTTPRequest(.get, session.location)
        let response = try await client.send(request)
        guard response.status == 204 else { throw await failure(request, response) }
        if response.headers["Location"] != nil { session.location = try location(response) }
        // `0-0` stands for nothing too: no part is a single byte but the last, which is then sent again and refused.
        let last = response.headers["Range"]?.split(separator: "-").last.flatMap { Int($0) } ?? 0
        let received = last == 0 ? 0 : last + 1
        guard sensible.contains(received) else {
            throw .lostUpload(StoreFailure("\(client.repository.host) has lost a part of an upload"))
        }
        session.sent = received
    }

    /// Names the blob.
    private func finish(_ session: Session) async throws(ArtifactError) {
        let separator = session.location.contains("?") ? "&" : "?"
        let request = HTTPRequest(
            .put, session.location + separator + "digest=" + percentEncoded(blob.digest.description),
            delivery: .stream(idleTimeout: RegistryStore.idle))
        let response = try await client.send(request)
        guard response.status == 201 || response.status == 204 else { throw await failure(request, response) }
    }

    /// A registry that was started anew may not know its own uploads; nor does it those that it has finished.
    private func failure(_ request: HTTPRequest, _ response: HTTPResponse) async -> ArtifactError {
        let error = await client.failure(request, response)
        guard [400, 404, 416].contains(response.status), case .store(let failure) = error,
            !failure.description.contains("DIGEST_INVALID")
        else { return error }
        return .lostUpload(failure)
    }
}
