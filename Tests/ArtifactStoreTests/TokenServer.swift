import Concurrency
import FoundationEssentials
import Glibc
import HTTPServer
import HTTPTransport
import JSON
import Logging
import OpenSSL
import Subprocess
import TestCluster
import Testing

@testable import ArtifactStore

/// Gives out tokens for a registry, as distribution's "Token Authentication Specification" has it.
final class TokenServer: Sendable {
    static let service = "registry of tests"
    static let issuer = "tests"

    let port: Int
    private let directory: String
    private let counter = Locked(0)

    /// - Parameter directory: With `certificate.pem` and `key.pem`, by which it is known and signs.
    init(directory: String) throws {
        self.directory = directory
        port = try FreePort.find()
    }

    var given: Int { counter.withLock { $0 } }

    func run() async throws {
        let tls = try TLSContext(
            serverCertificateChainPEM: Array(try file("certificate.pem").utf8),
            privateKeyPEM: Array(try file("key.pem").utf8))
        let server = HTTPServer(port: port, tls: tls, logger: Logger(label: "tokens")) { [self] request in
            await answer(request)
        }
        try await server.run()
    }

    private func file(_ name: String) throws -> String {
        try String(contentsOfFile: "\(directory)/\(name)", encoding: .utf8)
    }

    private func answer(_ request: HTTPServerRequest) async -> HTTPServerResponse {
        do {
            let expected = TestRegistry.credentials.authorization
            guard request.target.hasPrefix("/token?by=test&"), request.headers["Authorization"] == expected else {
                return HTTPServerResponse(status: 401)
            }
            counter.withLock { $0 += 1 }
            let scope = request.target.split(separator: "&").first { $0.hasPrefix("scope=") } ?? ""
            // `repository:team/wine:pull,push`, percent-encoded.
            let actions = scope.replacing("%3A", with: ":").replacing("%2C", with: ",").split(separator: ":").last ?? ""
            let answer: JSONValue = [
                "access_token": .string(try await token(actions.split(separator: ",").map(String.init))),
                "expires_in": 300,
            ]
            return HTTPServerResponse(status: 200, body: .bytes(answer.serializedBytes()))
        } catch {
            Issue.record(error)
            return HTTPServerResponse(status: 500)
        }
    }

    /// A JSON web token (RFC 7519) with the certificate of its signer, by ES256, for what was asked for and no more.
    private func token(_ actions: [String]) async throws -> String {
        let certificate = try file("certificate.pem").split(separator: "\n").filter { !$0.hasPrefix("-") }.joined()
        let now = Int(time(nil))
        let header: JSONValue = ["typ": "JWT", "alg": "ES256", "x5c": [.string(certificate)]]
        let claims: JSONValue = [
            "iss": .string(Self.issuer), "sub": "ann", "aud": .string(Self.service), "exp": JSONValue(now + 300),
            "nbf": JSONValue(now - 10), "iat": JSONValue(now), "jti": JSONValue("\(UInt64.random(in: .min ... .max))"),
            "access": [["type": "repository", "name": "team/wine", "actions": JSONValue(actions)]],
        ]
        let text = Self.encoded(header.serializedBytes()) + "." + Self.encoded(claims.serializedBytes())
        let result = try await Subprocess.run(
            .name("openssl"), arguments: ["dgst", "-sha256", "-sign", "\(directory)/key.pem"], input: .string(text),
            output: .bytes(limit: 1000), error: .discarded)
        return text + "." + Self.encoded(try Self.plain(result.standardOutput))
    }

    /// The two numbers of a signature, which OpenSSL writes in DER (RFC 7518 §3.4).
    private static func plain(_ der: [UInt8]) throws -> [UInt8] {
        var rest = der.dropFirst(2)
        var result: [UInt8] = []
        for _ in 0..<2 {
            let length = Int(try #require(rest.dropFirst().first))
            let number = rest.dropFirst(2).prefix(length).drop { $0 == 0 }
            result += [UInt8](repeating: 0, count: 32 - number.count) + number
            rest = rest.dropFirst(2 + length)
        }
        return result
    }

    private static func encoded(_ bytes: [UInt8]) -> String {
        Base64.encode(bytes).replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }
}
