import HTTPServer
import KubernetesClient
import KubernetesModel
import NIOHTTP1

/// Whether somebody may call a model, decided by what is known. The Bearer scheme is that of RFC 6750.
enum CallerGate {
    /// The audience that tokens are to be for. One for the API server is not taken: whoever reads it on its way could act by it
    /// there.
    static let audience = "assay.dev/gateway"
    /// In which the pod is told who calls.
    static let field: StaticString = "x-assay-caller"

    enum Decision: Sendable, Hashable {
        /// By this name.
        case admitted(String)
        case refused(GatewayAnswer)
        /// The API server is to be asked whose this token is.
        case ask(String)
    }

    /// What is to be done with a request, without asking anybody.
    ///
    /// - Parameters:
    ///   - namespace: the model's.
    ///   - now: since the Unix epoch.
    ///   - remembered: what is known of a token.
    static func decide(
        _ headers: HTTPHeaders, by rule: CallerRule, in namespace: String, now: Duration,
        remembered: (String) -> CallerVerdict?
    ) -> Decision {
        if case .unknown(let auth) = rule {
            return .refused(GatewayAnswer(503, "this gateway does not know auth: \(auth)", retryAfter: 60))
        }
        let token: String
        switch bearer(headers) {
        case .success(let found): token = found
        case .failure(let answer): return .refused(answer)
        }
        if let verdict = remembered(token) { return decide(verdict, in: namespace) }
        // Nobody is asked about a token that by its own word cannot be good here.
        return objection(to: token, in: namespace, now: now).map { .refused($0) } ?? .ask(token)
    }

    /// What comes of the API server's word.
    static func decide(_ verdict: CallerVerdict, in namespace: String) -> Decision {
        switch verdict {
        case .account(let account):
            account.namespace == namespace ? .admitted(account.userName) : .refused(foreign)
        case .nobody:
            .refused(
                invalid("the API server does not know the token for the audience \(audience), or it has expired"))
        case .unavailable(let seconds):
            .refused(GatewayAnswer(503, "who calls cannot be looked up now", retryAfter: seconds))
        }
    }

    private static func bearer(_ headers: HTTPHeaders) -> Result<String, GatewayAnswer> {
        var given: String?
        for (name, value) in headers where name.utf8.count == 13 && name.isField("authorization") {
            if given != nil {
                return .failure(
                    GatewayAnswer(
                        400, "more than one Authorization header field", challenge: challenge("invalid_request")))
            }
            given = value
        }
        guard let bytes = given?.utf8, Substring(bytes.prefix(7)).lowercased() == "bearer " else {
            return .failure(
                GatewayAnswer(
                    401, "send a service account's token for the audience \(audience) as a Bearer token",
                    challenge: challenge(nil)))
        }
        let token = String(Substring(bytes.dropFirst(7).drop { $0 == UInt8(ascii: " ") }))
        return .success(token)
    }

    private static func objection(to token: String, in namespace: String, now: Duration) -> GatewayAnswer? {
        guard let claims = TokenClaims(of: token) else { return invalid("this is no service account's token") }
        guard claims.audiences == [audience] else {
            return invalid("the token is not for the audience \(audience) alone")
        }
        if let expiry = claims.expiry, expiry <= now { return invalid("the token has expired") }
        guard let account = claims.subject.flatMap({ ReviewedAccount(userName: $0) }) else {
            return invalid("this is no service account's token")
        }
        return account.namespace == namespace ? nil : foreign
    }

    private static let foreign = GatewayAnswer(
        403, "only service accounts of the model's namespace may call it", challenge: challenge("insufficient_scope"))

    private static func invalid(_ message: String) -> GatewayAnswer {
        GatewayAnswer(401, message, challenge: challenge("invalid_token"))
    }

    private static func challenge(_ error: String?) -> String {
        "Bearer realm=\"\(audience)\"" + (error.map { ", error=\"\($0)\"" } ?? "")
    }
}
