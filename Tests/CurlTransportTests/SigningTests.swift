import HTTPTransport
import Testing

@testable import CurlTransport

/// Requests that are signed for S3. That a server takes them is tried with the stores of artifacts.
@Suite struct SigningTests {
    /// The keys of the examples in Amazon's S3 API Reference, "Signature Calculations for the Authorization Header".
    private static let example = RequestSigning(
        accessKey: "AKIAIOSFODNN7EXAMPLE", secretKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", region: "us-east-1",
        service: "s3")
    private static let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

    private static func server() throws -> RawServer {
        try RawServer { connection in
            while connection.readRequest() != nil { connection.answer("") }
        }
    }

    private static func transport(_ server: RawServer, _ signing: RequestSigning) throws -> CurlTransport {
        try CurlTransport(TransportConfiguration(server: server.url, signing: signing))
    }

    private static func fields(_ request: String?) throws -> [String: String] {
        let head = try #require(request?.components("\r\n\r\n").first).split(separator: "\r\n").dropFirst()
        return Dictionary(
            head.map { line in
                let parts = line.split(separator: ":", maxSplits: 1)
                return (parts[0].lowercased(), String(parts.last ?? "").components(" ").joined())
            }, uniquingKeysWith: { first, _ in first })
    }

    @Test(
        arguments: [
            (
                "/test.txt", ["Range": "bytes=0-9"], "host;range;x-amz-content-sha256;x-amz-date",
                "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
            ),
            (
                "/?lifecycle=", [:], "host;x-amz-content-sha256;x-amz-date",
                "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
            ),
            (
                "/?max-keys=2&prefix=J", [:], "host;x-amz-content-sha256;x-amz-date",
                "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
            ),
        ] as [(String, HTTPHeaders, String, String)])
    func theExamplesOfAmazonAreSignedAsItSays(
        _ target: String, _ headers: HTTPHeaders, _ names: String, _ signature: String
    ) async throws {
        let server = try Self.server()
        var headers = headers
        headers["Host"] = "examplebucket.s3.amazonaws.com"
        headers["x-amz-date"] = "20130524T000000Z"
        headers["x-amz-content-sha256"] = Self.nothing
        _ = try await Self.transport(server, Self.example).send(HTTPRequest(.get, target, headers: headers))
        #expect(
            try Self.fields(server.requests.last)["authorization"]
                == "AWS4-HMAC-SHA256Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
                + "SignedHeaders=\(names),Signature=\(signature)")
    }

    /// Whatever is signed is sent: libcurl would sign fields that it was told to leave out.
    @Test(arguments: [HTTPRequest.Method.get, .head, .put, .post, .delete], [nil, 0, 70_000] as [Int?])
    func whatIsSignedIsSent(_ method: HTTPRequest.Method, _ size: Int?) async throws {
        if method == .get || method == .head, size != nil { return }
        let server = try Self.server()
        var signing = Self.example
        signing.sessionToken = "token/of+a=session"
        let body = size.map { [UInt8](repeating: 7, count: $0) }
        _ = try await Self.transport(server, signing).send(
            HTTPRequest(method, "/a%20b?c=d", headers: ["x-amz-content-sha256": Self.nothing], body: body))
        let fields = try Self.fields(server.requests.last)
        let authorization = try #require(fields["authorization"])
        let names = try #require(authorization.components("SignedHeaders=").last?.components(",").first)
        #expect(names.components(";").allSatisfy { fields[$0] != nil }, "\(names)")
        #expect(names.contains("x-amz-security-token"))
        #expect(fields["x-amz-security-token"] == signing.sessionToken)
        #expect(server.requests.last?.contains(signing.secretKey) == false)
    }

    @Test func keysThatWouldNotBeSentAsTheyAreAreRefused() throws {
        let changes: [(inout RequestSigning) -> Void] = [
            { $0.accessKey = "" }, { $0.accessKey = "a\r\nb" }, { $0.secretKey = "hunter2\0" }, { $0.secretKey = "" },
            { $0.sessionToken = "a\nb" }, { $0.region = "a:b" }, { $0.region = "" }, { $0.service = "s 3" },
            { $0.region = String(repeating: "a", count: 65) },
        ]
        for change in changes {
            var signing = Self.example
            change(&signing)
            let error = #expect(throws: HTTPTransportError.self) {
                try CurlTransport(TransportConfiguration(server: "https://localhost", signing: signing))
            }
            #expect(error?.code == .invalidRequest)
            #expect(error?.description.contains("hunter2") == false)
        }
    }

    @Test func secretsAreNotPrinted() {
        var signing = Self.example
        signing.sessionToken = "hunter2"
        let configuration = TransportConfiguration(server: "https://localhost", signing: signing)
        var dumped = ""
        dump(signing, to: &dumped)
        dump(configuration, to: &dumped)
        let text = "\(signing) \(String(reflecting: signing)) \(configuration) \(dumped)"
        #expect(!text.contains("hunter2") && !text.contains(signing.secretKey))
    }

    @Test func whatTidiesUpIsSentThoughTheTaskWasCancelled() async throws {
        let server = try Self.server()
        let transport = try server.transport()
        let (cancelled, cancel) = AsyncStream.makeStream(of: Void.self)
        let task = Task {
            for await _ in cancelled {}
            let plain = await failure { _ = try await transport.send(HTTPRequest(.delete, "/plain")) }
            #expect(plain?.code == .cancelled)
            var request = HTTPRequest(.delete, "/tidy")
            request.outlivesTask = true
            return try await transport.send(request).text()
        }
        // Which ends the stream.
        task.cancel()
        #expect(try await task.value == "")
        cancel.finish()
        #expect(server.requests.map { $0.prefix(12) } == ["DELETE /tidy"])
    }
}

extension String {
    fileprivate func components(_ separator: String) -> [String] { split(separator: separator).map(String.init) }
}
