import HTTPTransport
import OpenSSL

/// Sends requests for the objects of one store in a bucket.
struct BucketClient: Sendable {
    /// An answer that is no more than this is read whole.
    static let largestAnswer = 4 << 20
    /// How long nothing may come of a transfer.
    static let idle: Duration = .seconds(60)

    let location: BucketLocation
    private let transport: any HTTPTransport
    private let signing: RequestSigning
    private let host: Substring
    /// What stands before the keys in targets.
    private let path: String

    init(_ location: BucketLocation, access: BucketAccess, connect: BucketStore.Connect) throws(ArtifactError) {
        self.location = location
        signing = access.signing
        let (server, path) = access.server(for: location.bucket)
        self.path = path
        host = server.drop { $0 != "/" }.drop { $0 == "/" }
        do { transport = try connect(server, access.signing) } catch {
            throw .store(StoreFailure("\(server): \(error)"))
        }
    }

    /// A request for an object of the store.
    func request(
        _ method: HTTPRequest.Method, _ name: String, query: [(String, String)] = [],
        headers: HTTPHeaders = HTTPHeaders(), body: [UInt8]? = nil
    ) -> HTTPRequest {
        let parts = location.key(name).utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
            .map { percentEncoded(String(Substring($0))) }
        return request(method, target: "\(path)/\(parts.joined(separator: "/"))", query, headers, body)
    }

    /// A request about the bucket.
    func request(query: [(String, String)]) -> HTTPRequest {
        request(.get, target: path.isEmpty ? "/" : path, query, HTTPHeaders(), nil)
    }

    private func request(
        _ method: HTTPRequest.Method, target: String, _ query: [(String, String)], _ headers: HTTPHeaders,
        _ body: [UInt8]?
    ) -> HTTPRequest {
        // In the order and the encoding that the signature is for.
        let pairs = query.map { "\(percentEncoded($0))=\(percentEncoded($1))" }.sorted()
        var headers = headers
        headers["x-amz-content-sha256"] = sha256(body ?? []).hexadecimal
        return HTTPRequest(
            method, target + (pairs.isEmpty ? "" : "?" + pairs.joined(separator: "&")), headers: headers, body: body,
            delivery: .stream(idleTimeout: Self.idle))
    }

    /// - Throws: where there is no answer at all.
    func send(_ request: HTTPRequest) async throws(ArtifactError) -> HTTPResponse {
        do { return try await transport.send(request) } catch { throw failure(request, error) }
    }

    /// Reads an answer to its end.
    func body(_ request: HTTPRequest, _ response: HTTPResponse) async throws(ArtifactError) -> [UInt8] {
        do { return try await response.body.collect(limit: Self.largestAnswer) } catch { throw failure(request, error) }
    }

    // MARK: Failures

    func failure(_ request: HTTPRequest, _ error: HTTPTransportError) -> ArtifactError {
        .store(StoreFailure("\(name(request)): \(error)", isTransient: error.mayPass))
    }

    /// What the store says of a request that it has not carried out.
    func complaint(_ response: HTTPResponse) async -> BucketComplaint {
        let bytes = try? await response.body.collect(limit: Self.largestAnswer)
        return BucketComplaint(response, bytes.flatMap { XMLAnswer($0) })
    }

    func failure(_ request: HTTPRequest, _ response: HTTPResponse) async -> ArtifactError {
        failure(request, await complaint(response))
    }

    func failure(_ request: HTTPRequest, _ complaint: BucketComplaint) -> ArtifactError {
        var text = "\(name(request)): \(complaint.text(region: signing.region))"
        // S3 tells a token that it does not take to whoever has sent it.
        for secret in [signing.secretKey, signing.sessionToken] {
            if let secret { text = text.replacing(secret, with: "<secret>") }
        }
        return .store(
            StoreFailure(text, isTransient: complaint.isTransient, retryAfter: complaint.retryAfter))
    }

    /// To a HEAD no store says why it refuses: it is asked again by a GET for as good as nothing.
    func explained(_ head: HTTPRequest, _ response: HTTPResponse) async throws(ArtifactError) -> ArtifactError {
        guard (300..<500).contains(response.status) else { return await failure(head, response) }
        var request = head
        request.method = .get
        request.headers["Range"] = "bytes=0-0"
        let answer = try await send(request)
        return await answer.status == response.status ? failure(request, answer) : failure(head, response)
    }

    /// Without the query, in which the ids of uploads are.
    private func name(_ request: HTTPRequest) -> String {
        "\(request.method.rawValue) \(host)\(request.target.prefix { $0 != "?" })"
    }
}
