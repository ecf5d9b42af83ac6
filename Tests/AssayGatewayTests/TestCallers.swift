import Concurrency
import JSON
import KubernetesModel

@testable import AssayGateway

/// Says whose tokens are, as a test does, and counts how often it is asked.
final class TestCallers: CallerReviews {
    private let known: [String: CallerVerdict]
    private let body: @Sendable (String) async -> CallerVerdict
    private let asked = Locked<[String]>([])

    /// - Parameters:
    ///   - known: what is remembered from the beginning.
    ///   - body: the API server's word.
    init(
        known: [String: CallerVerdict] = [:],
        _ body: @escaping @Sendable (String) async -> CallerVerdict = { _ in .nobody }
    ) {
        self.known = known
        self.body = body
    }

    var reviewed: [String] { asked.withLock { $0 } }

    func remembered(_ token: String) -> CallerVerdict? { known[token] }

    func review(_ token: String, for namespace: String) async -> CallerVerdict {
        asked.withLock { $0.append(token) }
        return await body(token)
    }
}

/// A token as the API server makes it, but for its signature.
func callerToken(
    namespace: String = "ml", name: String = "app", audiences: JSONValue = ["assay.dev/gateway"],
    exp: Int64 = 4_000_000_000,
    subject: String? = nil
) -> String {
    let claims: JSONValue = [
        "aud": audiences, "exp": .integer(exp), "iss": "https://kubernetes.default.svc",
        "sub": .string(subject ?? "system:serviceaccount:\(namespace):\(name)"),
    ]
    func encode(_ bytes: [UInt8]) -> String {
        Base64.encode(bytes).replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }
    let header: JSONValue = ["alg": "RS256", "kid": "a"]
    return [header.serializedBytes(), claims.serializedBytes(), Array("signature".utf8)].map(encode)
        .joined(separator: ".")
}
