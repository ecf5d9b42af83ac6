import HTTPServer
import JSON
import KubernetesModel
import NIOHTTP1
import Testing

@testable import AssayGateway

/// Who may call, by what is known.
@Suite struct CallerGateTests {
    private static let now = Duration.seconds(1_800_000_000)
    private static let account = ReviewedAccount(namespace: "ml", name: "app")

    private static func decide(
        _ headers: [(String, String)], _ rule: CallerRule = .serviceAccounts, known: CallerVerdict? = nil
    ) -> CallerGate.Decision {
        CallerGate.decide(HTTPHeaders(headers), by: rule, in: "ml", now: now) { _ in known }
    }

    private static func decide(token: String, known: CallerVerdict? = nil) -> CallerGate.Decision {
        decide([("Authorization", "Bearer \(token)")], known: known)
    }

    private static func answer(_ decision: CallerGate.Decision) -> GatewayAnswer? {
        if case .refused(let answer) = decision { answer } else { nil }
    }

    @Test func aTokenThatIsKnownLetsItsAccountInByItsName() {
        let decision = Self.decide(token: "t", known: .account(Self.account))
        #expect(decision == .admitted("system:serviceaccount:ml:app"))
    }

    @Test func aTokenThatMayBeGoodIsAskedAbout() {
        let token = callerToken()
        #expect(Self.decide(token: token) == .ask(token))
        #expect(Self.decide([("authorization", "bEARER  \(token)")]) == .ask(token))
        let single = callerToken(audiences: "assay.dev/gateway")
        #expect(Self.decide(token: single) == .ask(single))
    }

    @Test(arguments: [[], [("Authorization", "")], [("Authorization", "Basic eDp5")], [("Authorization", "Bearer")]])
    func withoutATokenOneIsAskedFor(_ headers: [(String, String)]) {
        let answer = Self.answer(Self.decide(headers))
        #expect(answer?.status == 401 && answer?.challenge == "Bearer realm=\"assay.dev/gateway\"")
    }

    static let bad: [String] = [
        "", " ", "nonsense", "a.b.c", "a.b", "....", "e30.e30.e30", "\(callerToken()).x", callerToken() + "=",
        callerToken(audiences: ["https://kubernetes.default.svc"]), callerToken(audiences: []),
        callerToken(audiences: ["assay.dev/gateway", "https://kubernetes.default.svc"]),
        callerToken(audiences: ["assay.dev/push"]), callerToken(exp: 1_800_000_000), callerToken(exp: 1),
        callerToken(subject: "system:admin"), callerToken(subject: "system:serviceaccount:ml"),
        callerToken(subject: "system:serviceaccount:ml:a\r\nX: y"), callerToken(subject: "system:serviceaccount::app"),
        callerToken(subject: "system:node:ml:app"),
    ]

    @Test(arguments: bad.indices) func aTokenThatCannotBeGoodIsRefusedWithoutAsking(_ index: Int) {
        let answer = Self.answer(Self.decide(token: Self.bad[index]))
        #expect(answer?.status == 401)
        #expect(answer?.challenge == "Bearer realm=\"assay.dev/gateway\", error=\"invalid_token\"")
    }

    @Test func anAccountOfAnotherNamespaceIsForbiddenWhetherItIsKnownOrNot() {
        let other = ReviewedAccount(namespace: "other", name: "app")
        for answer in [
            Self.answer(Self.decide(token: callerToken(namespace: "other"))),
            Self.answer(Self.decide(token: "t", known: .account(other))),
        ] {
            #expect(answer?.status == 403 && answer?.challenge?.contains("insufficient_scope") == true)
        }
        // The API server's word counts, and not the token's.
        #expect(Self.answer(CallerGate.decide(.account(other), in: "ml"))?.status == 403)
    }

    @Test func whatTheServerDoesNotKnowIsNobody() {
        #expect(Self.answer(Self.decide(token: callerToken(), known: .nobody))?.status == 401)
    }

    @Test func whereNobodyCanBeAskedNobodyIsLetIn() {
        let answer = Self.answer(CallerGate.decide(.unavailable(retryAfter: 7), in: "ml"))
        #expect(answer?.status == 503 && answer?.retryAfter == 7)
    }

    @Test func twoTokensAreNone() {
        let field = ("Authorization", "Bearer \(callerToken())")
        #expect(Self.answer(Self.decide([field, field]))?.status == 400)
    }

    @Test func aRuleOfALaterVersionLetsNobodyIn() {
        let answer = Self.answer(
            Self.decide([("Authorization", "Bearer t")], .unknown("OIDC"), known: .account(Self.account)))
        #expect(answer?.status == 503 && answer?.message.contains("OIDC") == true)
    }

    @Test func theRuleIsReadFromTheModel() throws {
        func rule(_ auth: JSONValue?) throws -> CallerRule { try ModelRecord(json: modelJSON(auth: auth)).callers }
        #expect(try rule(nil) == .anybody && rule(.null) == .anybody)
        #expect(try rule("ServiceAccount") == .serviceAccounts)
        #expect(try rule("serviceaccount") == .unknown("serviceaccount") && rule(["x": 1]) == .unknown(#"{"x":1}"#))
    }
}
