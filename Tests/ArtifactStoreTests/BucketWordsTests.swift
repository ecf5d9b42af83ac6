import Concurrency
import HTTPTransport
import Testing

@testable import ArtifactStore

/// What is read of a bucket's words, and of the variables that say where it is.
@Suite struct BucketWordsTests {
    @Test(
        arguments: [
            (#"<a/>"#, "a", []), (#"<?xml version="1.0" encoding="UTF-8"?>  <a></a> "#, "a", []),
            (#"<a xmlns="http://s3.amazonaws.com/doc/2006-03-01/" b='>'><b>x</b><b/></a>"#, "a", ["b=x", "b="]),
            ("<a>\n <b>\n  <c>1</c><d> 2 </d>\n </b>\n <b><c>3</c></b></a>\n\n", "a", ["b/c=1", "b/d= 2 ", "b/c=3"]),
            ("<a><b>&lt;&gt;&amp;&quot;&apos;&#65;&#x1F377;&amp;lt;</b></a>", "a", ["b=<>&\"'A\u{1F377}&lt;"]),
            ("<a ><b\n>é</b ></a\t>", "a", ["b=é"]), ("<a:b><c-d.e_1>x</c-d.e_1></a:b>", "a:b", ["c-d.e_1=x"]),
            ("<a>&#38;</a>", "a", []), ("<a><b>&amp;\u{301}</b></a>", "a", ["b=&\u{301}"]),
        ] as [(String, String, [String])]) func documentsAreRead(_ text: String, _ root: String, _ leaves: [String])
        throws
    {
        let answer = try #require(XMLAnswer(Array(text.utf8)))
        #expect(answer.root == root)
        #expect(answer.leaves.map { "\($0.path)=\($0.text)" } == leaves)
    }

    @Test(arguments: [
        "", " ", "a", "<a>", "</a>", "<a></b>", "<a><b></a></b>", "<a/><b/>", "<a/>x", "x<a/>", "<a", "<a b>",
        "<a b=c/>", "<a b=\"c/>", "<a b=\"<\"/>", "<a/ >", "<a>&nbsp;</a>", "<a>&amp</a>", "<a>&</a>", "<a>&#0;</a>",
        "<a>&#xD800;</a>",
        "<a>&#x110000;</a>", "<a>&#;</a>", "<a>&#+5;</a>", "<a>&#1;</a>", "<!DOCTYPE a><a/>",
        "<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>", "<a><!-- x --></a>", "<a><![CDATA[x]]></a>", "<a><?b c?></a>",
        "< a/>", "<a></a b=\"c\">", "<é/>", String(repeating: "<a>", count: 17) + String(repeating: "</a>", count: 17),
    ]) func whatIsNoDocumentIsNone(_ text: String) { #expect(XMLAnswer(Array(text.utf8)) == nil) }

    @Test func whatIsNoUTF8OrIsCutIsNoDocument() {
        #expect(XMLAnswer([UInt8(ascii: "<"), 0xFF, UInt8(ascii: ">")]) == nil)
        let whole = Array(#"<?xml version="1.0"?><a b="c"><d>&lt;é</d><e/></a>"#.utf8)
        #expect(XMLAnswer(whole)?.leaves.count == 2)
        for count in 0..<whole.count { #expect(XMLAnswer(Array(whole[..<count])) == nil, "cut at \(count)") }
    }

    @Test func whatIsEscapedIsReadAsItWas() {
        let text = "a<b>&\"c\"'é"
        #expect(XMLAnswer(Array("<a><b>\(xmlEscaped(text))</b></a>".utf8))?["b"] == text)
    }

    @Test(arguments: [("a%20b+c", "a b c"), ("%C3%A4%2B", "ä+"), ("", ""), ("%2", nil), ("%zz", nil), ("%FF", nil)])
    func keysAreDecoded(_ key: String, _ text: String?) { #expect(BucketStore.decoded(key) == text) }

    private static let keys = ["AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "hunter2"]

    @Test(
        arguments: [
            (["AWS_REGION": "eu-west-1"], "eu-west-1", "https://models.s3.eu-west-1.amazonaws.com", ""),
            (
                ["AWS_DEFAULT_REGION": "cn-north-1", "AWS_REGION": ""], "cn-north-1",
                "https://models.s3.cn-north-1.amazonaws.com.cn", ""
            ),
            (
                ["AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "x", "AWS_ENDPOINT_URL": "https://minio:9000"],
                "eu-west-1", "https://minio:9000", "/models"
            ),
            (
                ["AWS_ENDPOINT_URL": "https://a", "AWS_ENDPOINT_URL_S3": "https://b/"], "us-east-1", "https://b",
                "/models"
            ),
            (["AWS_ENDPOINT_URL": "http://a:1"], "us-east-1", "http://a:1", "/models"),
        ] as [([String: String], String, String, String)])
    func theVariablesSayWhereABucketIs(
        _ variables: [String: String], _ region: String, _ server: String, _ path: String
    ) throws {
        let environment = Self.keys.merging(variables) { $1 }
        let access = try BucketAccess(environment: environment, allowsPlain: true)
        #expect(access.signing.region == region)
        #expect(access.server(for: "models") == (server, path))
    }

    @Test func aBucketMayHaveAHostOfItsOwn() throws {
        let environment = Self.keys.merging(["AWS_ENDPOINT_URL": "https://minio:9000"]) { $1 }
        let access = try BucketAccess(environment: environment, hasHostPerBucket: true)
        #expect(access.server(for: "models") == ("https://models.minio:9000", ""))
        // Amazon's certificate is not for two names before its own.
        let own = try BucketAccess(environment: Self.keys.merging(["AWS_REGION": "eu-west-1"]) { $1 })
        #expect(own.server(for: "my.models") == ("https://s3.eu-west-1.amazonaws.com", "/my.models"))
    }

    @Test(
        arguments: [
            ([:], "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set"),
            (["AWS_ACCESS_KEY_ID": "AKIA"], "AWS_SECRET_ACCESS_KEY is not set"),
            (["AWS_SECRET_ACCESS_KEY": "hunter2", "AWS_ACCESS_KEY_ID": ""], "AWS_ACCESS_KEY_ID is not set"),
            (keys, "neither AWS_REGION nor AWS_ENDPOINT_URL is set"),
            (keys.merging(["AWS_REGION": "a b"]) { $1 }, "AWS_REGION is no region"),
            (keys.merging(["AWS_REGION": "a:b"]) { $1 }, "AWS_REGION is no region"),
            (keys.merging(["AWS_ENDPOINT_URL": "http://a"]) { $1 }, "--plain-http"),
            (keys.merging(["AWS_ENDPOINT_URL": "https://a/b"]) { $1 }, "AWS_ENDPOINT_URL is not"),
            (keys.merging(["AWS_ENDPOINT_URL": "https://ann:x@a"]) { $1 }, "AWS_ENDPOINT_URL is not"),
            (keys.merging(["AWS_ENDPOINT_URL": "minio"]) { $1 }, "AWS_ENDPOINT_URL is not"),
        ] as [([String: String], String)])
    func aVariableThatIsMissingOrWrongIsNamed(_ environment: [String: String], _ words: String) {
        let error = #expect(throws: ArtifactError.self) { try BucketAccess(environment: environment) }
        #expect(error?.description.contains(words) == true, "\(String(describing: error))")
        #expect(error?.description.contains("hunter2") == false)
    }

    @Test func secretsAreNotPrinted() throws {
        let access = try BucketAccess(
            environment: Self.keys.merging(["AWS_REGION": "r", "AWS_SESSION_TOKEN": "hunter3"]) { $1 })
        #expect(access.signing.sessionToken == "hunter3")
        var dumped = ""
        dump(access, to: &dumped)
        #expect(!"\(access) \(String(reflecting: access)) \(dumped)".contains("hunter"))
    }

    private static func error(_ code: String, _ message: String = "M.", _ more: String = "") -> String {
        "<?xml version=\"1.0\"?>\n<Error><Code>\(code)</Code><Message>\(message)</Message>\(more)</Error>"
    }

    @Test(
        arguments: [
            (HTTPResponse(301, headers: ["x-amz-bucket-region": "eu-west-1"], error("PermanentRedirect")), "eu-west-1"),
            (
                HTTPResponse(400, error("AuthorizationHeaderMalformed", "M.", "<Region>eu-west-1</Region>")),
                "is in the region eu-west-1: set AWS_REGION"
            ),
            (HTTPResponse(307, headers: ["Location": "https://elsewhere"]), "which is not followed"),
            (HTTPResponse(403, error("SignatureDoesNotMatch")), "AWS_SECRET_ACCESS_KEY does not belong"),
            (HTTPResponse(403, error("AccessDenied")), "403 AccessDenied: M.; these keys may not"),
            (HTTPResponse(403, error("InvalidAccessKeyId")), "AWS_ACCESS_KEY_ID is not known"),
            (HTTPResponse(400, error("ExpiredToken", "It was hunter3.")), "It was <secret>.; AWS_SESSION_TOKEN"),
            (
                HTTPResponse(
                    403, headers: ["Date": "Tue, 24 Nov 2026 14:40:45 GMT"], error("RequestTimeTooSkewed")),
                "the clock of this machine is wrong, or the store's, by which it is Tue, 24 Nov 2026 14:40:45 GMT"
            ),
            (HTTPResponse(404, error("NoSuchBucket", "No &lt;bucket&gt;.")), "404 NoSuchBucket: No <bucket>."),
            (HTTPResponse(418, "<html>"), "the store answers 418"),
        ]) func aRefusalIsToldAndNotRepeated(_ response: HTTPResponse, _ words: String) async throws
    {
        let again = Locked([response])
        let wire = AnsweringTransport { _ in again.withLock { $0.popLast() } }
        let store = try Self.store(over: wire)
        let error = await #expect(throws: ArtifactError.self) { try await store.tags() }
        #expect(error?.description.contains(words) == true, "\(String(describing: error))")
        #expect(error?.description.contains("hunter") == false)
        #expect(wire.requests.count == 1)
    }

    @Test(
        arguments: [
            (503, "SlowDown"), (500, "InternalError"), (429, ""), (408, ""), (400, "RequestTimeout"),
            (400, "IncompleteBody"), (502, ""),
        ]) func aRefusalForNowIsAskedAgain(_ status: Int, _ code: String) async throws
    {
        let failures = Locked(3)
        let wire = AnsweringTransport { _ in
            let isFailure = failures.withLock { failures in
                failures -= 1
                return failures >= 0
            }
            return isFailure ? HTTPResponse(status, Self.error(code)) : HTTPResponse(200, "<ListBucketResult/>")
        }
        #expect(try await Self.store(over: wire).tags() == [])
        #expect(wire.requests.count == 4)
    }

    @Test func aListThatIsNoneIsNotTakenForAnEmptyOne() async throws {
        for text in ["", "<html/>", "<ListBucketResult>"] {
            let store = try Self.store(over: AnsweringTransport { _ in HTTPResponse(200, text) })
            await #expect(throws: ArtifactError.self) { try await store.tags() }
        }
        // A store that leads in a circle.
        let page = "<a><IsTruncated>true</IsTruncated><NextContinuationToken>x</NextContinuationToken></a>"
            .replacing("a>", with: "ListBucketResult>")
        let wire = AnsweringTransport { _ in HTTPResponse(200, page) }
        #expect(try await Self.store(over: wire).tags() == [])
        #expect(wire.requests.count == 2)
    }

    private static func store(over wire: AnsweringTransport) throws -> BucketStore {
        let signing = TestBucket.signing("AKIA", "hunter2", "hunter3")
        return try BucketStore(
            try BucketLocation(bucket: "models", prefix: "x"), access: BucketAccess(signing: signing),
            patience: Patience(limit: .seconds(60), time: HurriedTime())
        ) { (_, _) in wire }
    }
}
