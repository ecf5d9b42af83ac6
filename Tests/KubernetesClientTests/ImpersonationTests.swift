import HTTPTransport
import JSON
import KubernetesModel
import Testing

@testable import KubernetesClient

@Suite struct ImpersonationTests {
    private static func configuration(_ user: String, allowed: Bool) throws -> ClientConfiguration {
        let directory = try TemporaryDirectory()
        let file = try directory.write(
            "config",
            """
            current-context: m
            contexts: [{name: m, context: {cluster: c, user: u}}]
            clusters: [{name: c, cluster: {server: https://a}}]
            users: [{name: u, user: \(user)}]
            """)
        return try ClientConfiguration.kubeconfig(
            path: file, trust: KubeconfigTrust(allowsImpersonation: allowed))
    }

    @Test func whereItIsAskedForEveryRequestCarriesIt() async throws {
        let configuration = try Self.configuration(
            """
            {token: t, as: jane, as-uid: '7', as-groups: [dev, ops],
             as-user-extra: {'acme.com/p%roject': [one, two], scopes: [view]}}
            """, allowed: true)
        let transport = ScriptedTransport([.json([:])])
        let client = KubernetesClient(transport: transport, credentials: configuration.credentials)
        _ = try await client.get(.nodes, ObjectKey(namespace: nil, name: "n"))
        let headers = try #require(transport.requests.first?.headers)
        #expect(headers["Authorization"] == "Bearer t")
        #expect(headers.values("Impersonate-User") == ["jane"])
        #expect(headers.values("Impersonate-Uid") == ["7"])
        #expect(headers.values("Impersonate-Group") == ["dev", "ops"])
        #expect(headers.values("Impersonate-Extra-acme.com%2Fp%25roject") == ["one", "two"])
        #expect(headers.values("Impersonate-Extra-scopes") == ["view"])
    }

    @Test(arguments: ["{token: t, as: jane}", "{as: jane, as-groups: ['system:masters']}"])
    func whereItIsNotAskedForTheFileIsRefused(_ user: String) throws {
        let error = #expect(throws: ConfigurationError.self) { try Self.configuration(user, allowed: false) }
        #expect(error?.message.contains("impersonation is refused") == true)
    }

    @Test func aPasswordGoesAsBasicAuthentication() async throws {
        let configuration = try Self.configuration("{username: Aladdin, password: 'open sesame'}", allowed: false)
        #expect(!"\(configuration.credentials)".contains("sesame"))
        let transport = ScriptedTransport([.json([:])])
        let client = KubernetesClient(transport: transport, credentials: configuration.credentials)
        _ = try await client.get(.nodes, ObjectKey(namespace: nil, name: "n"))
        // The example of RFC 7617.
        #expect(transport.requests.first?.headers["Authorization"] == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
    }

    @Test(arguments: ["", "f", "fo", "foo", "foob", "fooba", "foobar"])
    func base64GoesThereAndBack(_ text: String) {
        #expect(Base64.decode(Base64.encode(Array(text.utf8))) == Array(text.utf8))
    }
}
