import HTTPTransport
import KubernetesModel
import OpenSSL

extension BucketStore {
    public func touch(_ digest: Digest) async throws(ArtifactError) -> Bool {
        let name = Self.name(digest)
        return try await patience.run { () async throws(ArtifactError) in
            let request = client.request(.head, name)
            let response = try await client.send(request)
            switch response.status {
            case 200: return try await client.touch(name, Int(response.headers["Content-Length"] ?? "") ?? 0, response)
            case 404: return false
            default: throw try await client.explained(request, response)
            }
        }
    }

    public func contents() async throws(ArtifactError) -> [StoredBlob]? {
        try await objects(in: "blobs/sha256/").compactMap { object in
            Digest("sha256:\(object.name)").map { StoredBlob(digest: $0, size: object.size, time: object.time) }
        }
    }

    public func remove(tag: String, unlessSince time: Timestamp?) async throws(ArtifactError) -> Bool {
        try Tag.check(tag)
        return try await remove("tags/\(tag)", unlessSince: time)
    }

    public func remove(_ digest: Digest, unlessSince time: Timestamp?) async throws(ArtifactError) -> Bool {
        try await remove(Self.name(digest), unlessSince: time)
    }

    /// S3 deletes on no condition of time: between the look and the deletion there is a moment, which those have covered who
    /// remove nothing younger than a seal takes.
    private func remove(_ name: String, unlessSince time: Timestamp?) async throws(ArtifactError) -> Bool {
        if let time {
            // By the list, which is the one to tell the time as exactly as it was before.
            guard let object = try await objects(in: name).first(where: { $0.name.isEmpty }) else { return true }
            guard object.time < time else { return false }
        }
        let request = client.request(.delete, name)
        try await patience.run { () async throws(ArtifactError) in
            let response = try await client.send(request)
            guard [200, 204, 404].contains(response.status) else { throw await client.failure(request, response) }
        }
        return true
    }
}

extension BucketStore {
    private struct OpenUpload {
        var name: String
        var id: String
        var begun: Timestamp
    }

    public func abandonUploads(unlessSince time: Timestamp?) async throws(ArtifactError) -> Int {
        var count = 0
        var marker: (key: String, id: String)?
        repeat {
            let from = marker
            let page = try await patience.run { () async throws(ArtifactError) in try await openUploads(after: from) }
            for upload in page.uploads {
                if let time, upload.begun >= time { continue }
                let request = client.request(.delete, upload.name, query: [("uploadId", upload.id)])
                try await patience.run { () async throws(ArtifactError) in
                    let response = try await client.send(request)
                    guard [200, 204, 404].contains(response.status) else {
                        throw await client.failure(request, response)
                    }
                }
                count += 1
            }
            marker = page.next
        } while marker != nil
        return count
    }

    private func openUploads(
        after marker: (key: String, id: String)?
    ) async throws(ArtifactError) -> (uploads: [OpenUpload], next: (key: String, id: String)?) {
        let place = client.location.key("")
        var query = [("uploads", ""), ("encoding-type", "url"), ("prefix", place)]
        if let marker { query += [("key-marker", marker.key), ("upload-id-marker", marker.id)] }
        let request = client.request(query: query)
        let response = try await client.send(request)
        guard response.status == 200 else { throw await client.failure(request, response) }
        let answer = XMLAnswer(try await client.body(request, response))
        let (keys, ids, times) = ("Upload/Key", "Upload/UploadId", "Upload/Initiated")
        guard let answer, answer.root == "ListMultipartUploadsResult", answer.all(keys).count == answer.all(ids).count,
            answer.all(keys).count == answer.all(times).count
        else { throw .malformed("the list of uploads to s3://\(client.location) is not what S3 lists uploads by") }
        var uploads: [OpenUpload] = []
        for (key, (id, begun)) in zip(answer.all(keys), zip(answer.all(ids), answer.all(times))) {
            guard let key = Self.decoded(key), key.hasPrefix(place), let begun = Timestamp(begun) else { continue }
            uploads.append(OpenUpload(name: String(key.dropFirst(place.count)), id: id, begun: begun))
        }
        guard answer["IsTruncated"] == "true", let key = answer["NextKeyMarker"].flatMap(Self.decoded),
            let id = answer["NextUploadIdMarker"]
        else { return (uploads, nil) }
        return (uploads, (key, id))
    }
}

extension BucketClient {
    /// More than this no store copies by one request.
    private static let largestCopy = 5 << 30
    /// What is no older need not be made young.
    private static let young: Duration = .seconds(60)

    /// Copies an object to itself, which gives it the time of now. False where it is to be sent again instead: it is gone, or the
    /// store does not do that.
    /// - Parameter head: what the store has just said of it.
    func touch(_ name: String, _ size: Int, _ head: HTTPResponse) async throws(ArtifactError) -> Bool {
        if let date = head.headers["Date"].flatMap(Timestamp.init(httpDate:)),
            let time = head.headers["Last-Modified"].flatMap(Timestamp.init(httpDate:)), date - time < Self.young
        {
            return true
        }
        guard size <= Self.largestCopy else { return false }
        let source = "/\(location.bucket)/\(location.key(name))".utf8
            .split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
            .map { percentEncoded(String(Substring($0))) }.joined(separator: "/")
        let request = request(
            .put, name, headers: ["x-amz-copy-source": source, "x-amz-metadata-directive": "REPLACE"], body: [])
        let response = try await send(request)
        guard response.status == 200 else {
            let complaint = await complaint(response)
            guard !complaint.isTransient || response.status == 501 else { throw failure(request, complaint) }
            return false
        }
        // The store may say that it will, and at the end that it has not.
        let answer = XMLAnswer(try await body(request, response))
        guard answer?.root == "CopyObjectResult" else {
            throw failure(request, BucketComplaint(response, answer))
        }
        return true
    }
}

extension Timestamp {
    /// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, "Date/Time Formats").
    init?(httpDate text: String) {
        let parts = text.split(separator: " ")
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        guard parts.count == 6, parts[5] == "GMT", let month = months.firstIndex(of: String(parts[2])) else {
            return nil
        }
        let number = month < 9 ? "0\(month + 1)" : "\(month + 1)"
        self.init("\(parts[3])-\(number)-\(parts[1])T\(parts[4])Z")
    }
}
