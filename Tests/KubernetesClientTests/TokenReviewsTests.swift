import Concurrency
import HTTPTransport
import JSON
import KubernetesModel
import Testing

@testable import KubernetesClient

/// How often the API server is asked whose tokens are, and what is remembered of that.
@Suite(.timeLimit(.minutes(1))) struct TokenReviewsTests {
    private static let audience = "assay.dev/gateway"

    private static func review(_ user: String = "system:serviceaccount:ml:app") -> ScriptedTransport.Answer {
        .json(
            ["status": ["authenticated": true, "audiences": [.string(audience)], "user": ["username": .string(user)]]],
            status: 201)
    }

    private static let refusal = ScriptedTransport.Answer.json(["status": ["authenticated": false]], status: 201)

    private static func reviews(
        _ transport: any HTTPTransport, _ time: ManualTime, _ change: (inout TokenReviews.Limits) -> Void = { _ in }
    ) -> TokenReviews {
        var limits = TokenReviews.Limits()
        change(&limits)
        return TokenReviews(
            client: KubernetesClient(transport: transport, time: time, retry: .never), audience: audience,
            fieldManager: "test", limits: limits, time: time)
    }

    private static let account = TokenReviews.Answer.account(ReviewedAccount(namespace: "ml", name: "app"))

    @Test func anAnswerIsRememberedForAWhileAndTheTokenNever() async throws {
        let (transport, time) = (ScriptedTransport([Self.review(), Self.refusal]), ManualTime())
        let reviews = Self.reviews(transport, time)
        #expect(reviews.remembered("t") == nil)
        #expect(await reviews.account(of: "t") == Self.account)
        #expect(reviews.remembered("t") == Self.account && reviews.remembered("u") == nil)
        time.advance(by: .seconds(59))
        #expect(await reviews.account(of: "t") == Self.account)
        #expect(transport.requests.count == 1)
        let asked = try JSONValue(parsing: Array(transport.requests[0].text.utf8))
        #expect(asked["spec"] == ["token": "t", "audiences": [.string(Self.audience)]])
        time.advance(by: .seconds(1))
        #expect(reviews.remembered("t") == nil)
        #expect(await reviews.account(of: "t") == .nobody, "the account is gone meanwhile")
        time.advance(by: .seconds(5))
        #expect(reviews.remembered("t") == nil)
        var dumped = ""
        dump(reviews, to: &dumped)
        #expect(!dumped.contains("\"t\""))
    }

    @Test func aServerThatDoesNotAnswerIsNotRemembered() async {
        let (transport, time) = (ScriptedTransport([.failure(.broken), .status(403), Self.review()]), ManualTime())
        let reviews = Self.reviews(transport, time)
        for _ in 0..<2 {
            guard case .failed = await reviews.account(of: "t") else {
                Issue.record("not failed")
                return
            }
        }
        #expect(await reviews.account(of: "t") == Self.account)
    }

    /// Each group of askers has its own measure.
    @Test func whoMakesTokensUpIsSlowedDownAlone() async {
        let time = ManualTime()
        let transport = ScriptedTransport(Array(repeating: Self.refusal, count: 8))
        let reviews = Self.reviews(transport, time) {
            $0.rate = 2
            $0.burst = 3
        }
        for number in 0..<3 { #expect(await reviews.account(of: "a\(number)", group: "a") == .nobody) }
        for number in 3..<9 { #expect(await reviews.account(of: "a\(number)", group: "a") == .busy) }
        #expect(await reviews.account(of: "b", group: "b") == .nobody)
        #expect(await reviews.account(of: "a0", group: "a") == .nobody, "what is known costs nothing")
        time.advance(by: .seconds(1))
        for number in 3..<5 { #expect(await reviews.account(of: "a\(number)", group: "a") == .nobody) }
        #expect(await reviews.account(of: "a5", group: "a") == .busy)
        time.advance(by: .seconds(1000))
        for number in 5..<7 { #expect(await reviews.account(of: "a\(number)", group: "a") == .nobody) }
        #expect(transport.unusedAnswers == 0)
    }

    /// Never answers, and counts who asks.
    private final class Silent: HTTPTransport {
        private let asked = AsyncStream.makeStream(of: Void.self)
        private let count = Locked(0)

        var requests: Int { count.withLock { $0 } }

        func wait(for count: Int) async {
            for await _ in asked.stream where requests >= count { return }
        }

        func send(_ request: HTTPRequest) async throws(HTTPTransportError) -> HTTPResponse {
            count.withLock { $0 += 1 }
            asked.continuation.yield()
            do { try await Task.sleep(for: .seconds(3600)) } catch {}
            throw HTTPTransportError(.cancelled)
        }
    }

    @Test func onlySoManyAreAskedAboutAtATimeAndOfOneGroupFewer() async {
        let (transport, time) = (Silent(), ManualTime())
        let reviews = Self.reviews(transport, time) {
            $0.reviews = 3
            $0.reviewsOfGroup = 2
            $0.timeout = .seconds(5)
        }
        await withTaskGroup(of: TokenReviews.Answer.self) { group in
            for (name, token) in [("a", "1"), ("a", "2"), ("b", "3")] {
                group.addTask { await reviews.account(of: token, group: name) }
            }
            await transport.wait(for: 3)
            // The same token is asked about once.
            group.addTask { await reviews.account(of: "1", group: "b") }
            #expect(await reviews.account(of: "4", group: "a") == .busy)
            #expect(await reviews.account(of: "5", group: "c") == .busy)
            #expect(transport.requests == 3)
            await time.waitForSleepers(3)
            time.advance(by: .seconds(5))
            for await answer in group {
                guard case .failed = answer else {
                    Issue.record("\(answer)")
                    continue
                }
            }
        }
        #expect(reviews.count == 0, "who was not answered may ask again")
    }

    // MARK: What a token says of itself

    private static func token(_ claims: String, header: String = "{}") -> String {
        [header, claims, "s"].map { part in
            Base64.encode(Array(part.utf8)).replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
        }.joined(separator: ".")
    }

    @Test func claimsAreRead() throws {
        let claims = try #require(TokenClaims(of: Self.token(#"{"aud":["a","b"],"exp":7,"sub":"s?>~"}"#)))
        #expect(claims.audiences == ["a", "b"] && claims.expiry == .seconds(7) && claims.subject == "s?>~")
        let few = try #require(TokenClaims(of: Self.token(#"{"aud":"a","exp":"x"}"#)))
        #expect(few.audiences == ["a"] && few.expiry == nil && few.subject == nil)
        #expect(TokenClaims(of: Self.token(#"{"exp":9223372036854775807}"#))?.expiry != nil)
    }

    @Test(arguments: [
        "", ".", "..", "...", "e30.e30", "e30.e30.", "e30..e30", "e30.e30.e30.e30", "e30.e30.e+0", "e30.W10.e30",
        "W10.e30.e30", "e30.e30=.e30", "e30.e.e30", "e30.\n30.e30", "bnVsbA.e30.e30",
    ])
    func whatIsNoTokenSaysNothing(_ text: String) {
        #expect(TokenClaims(of: text) == nil)
    }

    @Test func noTokenIsBelievedBeyondItsOwnEnd() async {
        let time = ManualTime()
        let (transport, end) = (ScriptedTransport([Self.review()]), time.wallNow() + .seconds(10))
        let reviews = Self.reviews(transport, time)
        let token = Self.token(#"{"exp":\#(end.components.seconds)}"#)
        #expect(await reviews.account(of: token) == Self.account)
        time.advance(by: .seconds(9))
        #expect(reviews.remembered(token) == Self.account)
        time.advance(by: .seconds(1))
        #expect(reviews.remembered(token) == nil)
    }
}
