import HTTPServer
import JSON
import NIOCore
import NIOHTTP1
import Testing

@testable import AssayGateway

@Suite struct ForwardingTests {
    private static func forwarded(
        _ fields: [(String, String)], method: HTTPMethod = .GET, uri: String = "/v2?x=1",
        version: HTTPVersion = .http1_1
    ) throws -> String {
        let head = HTTPRequestHead(version: version, method: method, uri: uri, headers: HTTPHeaders(fields))
        let facts = try RequestRules.check(head, HTTPServerLimits())
        var buffer = ByteBuffer()
        RequestHead(head: head, facts: facts).write(
            to: &buffer, from: .init(address: "10.1.2.3", scheme: "http"), fallbackHost: "wine", requestID: "id")
        return String(buffer: buffer)
    }

    @Test func aPodGetsTheRequestAndWhoSentIt() throws {
        #expect(
            try Self.forwarded([("Host", "wine:80"), ("Accept", "*/*"), ("traceparent", "00-ab-cd-01")])
                == """
                GET /v2?x=1 HTTP/1.1\r\nHost: wine:80\r\nAccept: */*\r\ntraceparent: 00-ab-cd-01\r\n\
                X-Forwarded-For: 10.1.2.3\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: wine:80\r\n\
                X-Request-Id: id\r\nVia: 1.1 assay\r\n\r\n
                """)
    }

    @Test func anOldRequestWithoutHostGetsOne() throws {
        let text = try Self.forwarded([], version: .http1_0)
        #expect(text.hasPrefix("GET /v2?x=1 HTTP/1.1\r\nHost: wine\r\n") && text.contains("\r\nVia: 1.0 assay\r\n"))
    }

    @Test(arguments: [
        "Connection", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Upgrade", "Expect", "Proxy-Authorization",
        "HTTP2-Settings", "Forwarded", "X-Forwarded-For", "x-forwarded-proto", "X-Forwarded-Host", "X-Forwarded-Port",
        "X-Real-IP", "X-Request-ID", "X_Forwarded_For", "x_real_ip", "Content_Length", "Transfer_Encoding",
        "X-Forwarded_Proto",
    ])
    func whatBelongsToTheConnectionOrIsOursIsNotPassedOn(_ name: String) throws {
        let text = try Self.forwarded([("Host", "h"), (name, "evil"), ("X", "kept")])
        #expect(!text.contains("evil") && text.contains("\r\nX: kept\r\n"))
    }

    @Test func whatConnectionNamesIsNotPassedOn() throws {
        let text = try Self.forwarded([
            ("Host", "h"), ("Connection", "keep-alive, X-Secret"), ("X-Secret", "s"), ("Connection", "Y,host"),
            ("y", "t"),
            ("Z", "kept"),
        ])
        #expect(!text.contains("X-Secret") && !text.contains("\r\ny: t") && text.contains("\r\nZ: kept"))
        #expect(text.contains("\r\nHost: h\r\n"))
    }

    @Test func bodiesAreFramedAnew() throws {
        let length = try Self.forwarded([("Host", "h"), ("content-length", "0012")], method: .POST)
        #expect(length.contains("\r\nContent-Length: 12\r\n") && !length.contains("0012"))
        let chunked = try Self.forwarded([("Host", "h"), ("transfer-encoding", "CHUNKED")], method: .POST)
        #expect(chunked.contains("\r\nTransfer-Encoding: chunked\r\n") && !chunked.contains("CHUNKED"))
    }

    @Test func anAbsoluteTargetIsMadeRelative() throws {
        let text = try Self.forwarded([("Host", "h")], uri: "http://H:80?q")
        #expect(text.hasPrefix("GET /?q HTTP/1.1\r\nHost: h\r\n"))
    }

    @Test(arguments: [
        ("abc-1_2.3:/+=", true), ("", false), ("a b", false), ("a\u{7f}", false),
        (String(repeating: "a", count: 129), false),
        ("<script>", false), ("a,b", false),
    ])
    func anIDOfTheClientIsKeptIfItIsPlain(_ id: String, _ isKept: Bool) {
        #expect(RequestID.given(HTTPHeaders([("X-Request-Id", id)])) == (isKept ? id : nil))
    }

    @Test func twoIDsAreNone() {
        #expect(RequestID.given(HTTPHeaders([("X-Request-Id", "a"), ("x-request-id", "a")])) == nil)
    }

    @Test func idsOfOurOwnAre32DigitsAndDiffer() {
        var generator = SystemRandomNumberGenerator()
        let ids = (0..<100).map { _ in RequestID.make(&generator) }
        #expect(Set(ids).count == 100)
        #expect(ids.allSatisfy { $0.count == 32 && $0.allSatisfy { "0123456789abcdef".contains($0) } })
    }

    @Test func fieldsThatDecideAnythingDoNotComeAfterTheBody() {
        var buffer = ByteBuffer()
        buffer.writeLastChunk(
            trailers: HTTPHeaders([
                ("Checksum", "1"), ("Content-Length", "2"), ("Host", "x"), ("Cookie", "c"), ("TE", "t"),
            ]))
        #expect(String(buffer: buffer) == "0\r\nChecksum: 1\r\n\r\n")
    }
}

@Suite struct ResponsePlanTests {
    private static func plan(
        _ status: Int, _ fields: [(String, String)] = [], version: HTTPVersion = .http1_1, isHead: Bool = false,
        isOld: Bool = false, keepsAlive: Bool = true, isComplete: Bool = true
    ) -> ResponsePlan? {
        ResponsePlan(
            HTTPResponseHead(version: version, status: .init(statusCode: status), headers: HTTPHeaders(fields)),
            to: .init(isHead: isHead, isOld: isOld, keepsAlive: keepsAlive, isComplete: isComplete))
    }

    @Test func theBodyIsFramedAsItCame() {
        #expect(Self.plan(200, [("Content-Length", "5")])?.framing == .length(5))
        #expect(Self.plan(200, [("Transfer-Encoding", "chunked")])?.framing == .chunked)
        #expect(Self.plan(204)?.framing == ResponsePlan.Framing.none)
        #expect(Self.plan(304, [("Content-Length", "5")])?.framing == ResponsePlan.Framing.none)
        #expect(Self.plan(200, [("Content-Length", "5")], isHead: true)?.framing == ResponsePlan.Framing.none)
    }

    @Test func aBodyThatEndsWithItsConnectionIsChunkedForTheClient() {
        #expect(Self.plan(200) == .some(plan(.chunked, client: true, pod: false)))
    }

    @Test func anOldClientGetsNoChunks() {
        let fields = [("Transfer-Encoding", "chunked")]
        #expect(Self.plan(200, fields, isOld: true, keepsAlive: false) == plan(.untilClose, client: false, pod: true))
    }

    @Test func connectionsAreKeptOnlyWhereBothSidesAreDone() {
        let fields = [("Content-Length", "0")]
        #expect(Self.plan(200, fields) == plan(.length(0), client: true, pod: true))
        #expect(Self.plan(200, fields + [("Connection", "Close")]) == plan(.length(0), client: true, pod: false))
        #expect(Self.plan(200, fields, version: .http1_0) == plan(.length(0), client: true, pod: false))
        #expect(Self.plan(200, fields, keepsAlive: false) == plan(.length(0), client: false, pod: true))
        #expect(Self.plan(413, fields, isComplete: false) == plan(.length(0), client: false, pod: false))
    }

    @Test func anAnswerThatCanBeReadInTwoWaysIsNone() {
        #expect(Self.plan(101) == nil)
        #expect(Self.plan(200, [("Content-Length", "1"), ("Transfer-Encoding", "chunked")]) == nil)
        #expect(Self.plan(200, [("Content-Length", "1"), ("Content-Length", "2")]) == nil)
        #expect(Self.plan(200, [("Content-Length", "-1")]) == nil)
        #expect(Self.plan(200, [("Transfer-Encoding", "gzip, chunked")]) == nil)
    }

    private func plan(_ framing: ResponsePlan.Framing, client: Bool, pod: Bool) -> ResponsePlan {
        guard var plan = Self.plan(204) else { preconditionFailure("204 has a plan") }
        plan.framing = framing
        plan.keepsClient = client
        plan.keepsPod = pod
        return plan
    }
}

@Suite struct RetryDecisionTests {
    @Test func aRequestIsSentAgainOnlyWhereThatDoesNoHarm() {
        func may(
            _ method: HTTPMethod, idempotent: Bool = false, sent: Bool = true, replay: Bool = true, begun: Bool = false,
            retries: Int = 0
        ) -> Bool {
            RetryDecision(
                method: method, isIdempotent: idempotent, wasSent: sent, canReplay: replay, answerHasBegun: begun,
                retries: retries
            ).isAllowed
        }
        for method in [HTTPMethod.GET, .HEAD, .OPTIONS] { #expect(may(method)) }
        for method in [HTTPMethod.POST, .PUT, .PATCH, .DELETE] {
            #expect(!may(method))
            #expect(may(method, sent: false))
            #expect(may(method, idempotent: true))
            #expect(!may(method, idempotent: true, replay: false))
        }
        #expect(!may(.GET, begun: true))
        #expect(!may(.GET, sent: false, begun: true))
        #expect(may(.GET, retries: 1) && !may(.GET, retries: 2))
    }
}
