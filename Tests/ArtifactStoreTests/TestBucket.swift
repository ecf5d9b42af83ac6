import Concurrency
import CurlTransport
import FoundationEssentials
import HTTPTransport
import OpenSSL
import TestCluster
import Testing

@testable import ArtifactStore

/// moto's S3 with one bucket, as `s3_server.py` runs it: it checks signatures.
final class TestBucket: Sendable {
    static let name = "models"
    /// Small ones, as this server takes them.
    static let partSize = 64 << 10

    /// Who may do everything.
    static let ann = signing("AKIAANN0000000000000", "correct/horse+battery")
    /// Who may list only.
    static let bob = signing("AKIABOB0000000000000", "staple")
    /// Who may do everything for a while.
    static let keeper = signing("ASIAKEEPER0000000000", "for a while", "token/of+a=session")

    private let server: StoreServer
    private let relays: [Int]

    static func signing(_ key: String, _ secret: String, _ token: String? = nil) -> RequestSigning {
        RequestSigning(accessKey: key, secretKey: secret, sessionToken: token, region: "us-east-1", service: "s3")
    }

    /// Runs the server while `body` runs.
    static func with(
        tls: Bool = false, relays: Int = 0, _ body: @escaping @Sendable (TestBucket) async throws -> Void
    ) async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        let bucket = try TestBucket(directory, tls, relays)
        try await bucket.server.running { try await body(bucket) }
    }

    private init(_ directory: TemporaryDirectory, _ isTLS: Bool, _ relays: Int) throws {
        self.relays = try (0..<relays).map { _ in try FreePort.find() }
        server = try StoreServer.bucket(Self.name, in: directory.path, tls: isTLS, relays: self.relays)
    }

    var authorityPath: String { server.directory + "/authority.pem" }

    /// How many connections a relay has broken.
    func cuts(byRelay number: Int) throws -> Int { try server.cuts(byRelay: relays[number]) }

    /// - Parameter host: A name of this machine.
    func endpoint(_ host: String = "127.0.0.1", relay: Int? = nil) -> String {
        "\(server.authority == nil ? "http" : "https")://\(host):\(relay.map { relays[$0] } ?? server.port)"
    }

    func transport(_ signing: RequestSigning? = TestBucket.ann) throws(HTTPTransportError) -> any HTTPTransport {
        try transport(endpoint(), signing)
    }

    private func transport(
        _ url: String, _ signing: RequestSigning?
    ) throws(HTTPTransportError) -> any HTTPTransport {
        try CurlTransport(
            TransportConfiguration(server: url, certificateAuthorityPEM: server.authority, signing: signing))
    }

    /// - Parameters:
    ///   - access: Where it is, and who one is there; by a path and as Ann unless told.
    ///   - transport: In place of one to the server.
    func store(
        _ prefix: String = "team/wine", bucket: String = TestBucket.name, access: BucketAccess? = nil,
        patience: Patience = Patience(limit: .seconds(60)), over transport: (any HTTPTransport)? = nil
    ) throws -> BucketStore {
        let access = access ?? BucketAccess(signing: Self.ann, endpoint: endpoint())
        var store = try BucketStore(
            try BucketLocation(bucket: bucket, prefix: prefix), access: access, patience: patience
        ) { (server, signing) throws(HTTPTransportError) in
            if let transport { return transport }
            return try self.transport(server, signing)
        }
        store.partSize = Self.partSize
        return store
    }

    /// The uploads in parts that are neither finished nor given up.
    func openUploads() async throws -> [String] {
        let client = try store().client
        let request = client.request(query: [("uploads", "")])
        let answer = try await client.body(request, try await client.send(request))
        return try #require(XMLAnswer(answer)).all("Upload/UploadId")
    }
}

/// Gives answers of its own to some requests, and lets the others through.
final class AnsweringTransport: HTTPTransport {
    private let base: (any HTTPTransport)?
    private let answer: @Sendable (HTTPRequest) -> HTTPResponse?
    private let log = Locked<[HTTPRequest]>([])

    init(_ base: (any HTTPTransport)? = nil, _ answer: @escaping @Sendable (HTTPRequest) -> HTTPResponse?) {
        self.base = base
        self.answer = answer
    }

    var requests: [HTTPRequest] { log.withLock { $0 } }

    func send(_ request: HTTPRequest) async throws(HTTPTransportError) -> HTTPResponse {
        log.withLock { $0.append(request) }
        if let response = answer(request) { return response }
        guard let base else { throw HTTPTransportError(.connect) }
        return try await base.send(request)
    }
}

extension HTTPResponse {
    init(_ status: Int, headers: HTTPHeaders = HTTPHeaders(), _ text: String = "") {
        let rest = Locked<[UInt8]?>(Array(text.utf8))
        self.init(
            status: status, headers: headers,
            body: HTTPBody {
                rest.withLock { rest in
                    defer { rest = nil }
                    return rest
                }
            })
    }
}
