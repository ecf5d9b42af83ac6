import AssayCore
import CurlTransport
import HTTPTransport
import JSON
import KubernetesClient
import KubernetesModel
import TestCluster
import Testing

extension Stories {
    /// A model that asks who calls, behind the gateway as it is installed: by its own port, and by HTTPS at the shared one.
    @Suite struct CallerStoryTests {
        private static let audience = "assay.dev/gateway"
        private static let host = "wine.example.com"

        private static let model = ToyModel().yaml.replacing(
            "    replicas: 1\n", with: "    replicas: 1\n    auth: ServiceAccount\n    hosts: [\(host)]\n")

        /// A token of a service account, as a pod of it gets one.
        private static func token(
            _ world: StoryWorld, namespace: String? = nil, audience: String? = audience
        ) async throws -> String {
            var spec: JSONValue = ["expirationSeconds": 600]
            if let audience { spec["audiences"] = [.string(audience)] }
            let answer = try await world.client.create(
                .serviceAccounts,
                [
                    "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
                    "metadata": ["name": "default", "namespace": .string(namespace ?? world.namespace)], "spec": spec,
                ], subresource: "token", fieldManager: "story")
            return try #require(answer["status", "token"]?.string)
        }

        /// Asks until somebody is there.
        private static func ask(
            _ transport: CurlTransport, token: String?, host: String? = nil
        ) async throws -> (status: Int, headers: HTTPHeaders) {
            var request = HTTPRequest(.get, "/", delivery: .unary(timeout: .seconds(20)))
            request.headers["Authorization"] = token.map { "Bearer \($0)" }
            request.headers["Host"] = host
            for attempt in 1... {
                do throws(HTTPTransportError) {
                    let response = try await transport.send(request)
                    _ = try await response.body.collect()
                    return (response.status, response.headers)
                } catch {
                    guard attempt < 300, error.requestWasNotSent || error.code == .broken else { throw error }
                }
                try await Task.sleep(for: .milliseconds(100))
            }
            throw StoryFailure()
        }

        private static func address(_ world: StoryWorld, _ service: ObjectKey) async throws -> String {
            let service = try await world.client.get(.services, service)
            let address = try #require(service["spec", "clusterIP"]?.string)
            return "\(address):\(service["spec", "ports"]?[0]?["port"]?.int ?? 0)"
        }

        private static func expectOnlyItsOwnAreLetIn(
            _ world: StoryWorld, _ transport: CurlTransport, host: String? = nil
        ) async throws {
            let own = try await token(world)
            let cases: [(String, Int, String?)] = [
                ("no token", 401, nil), ("no service account's token", 401, "x"),
                ("a token that nobody has made", 401, String(own.dropLast(4)) + "AAAA"),
                ("a token for the API server", 401, try await token(world, audience: nil)),
                ("a token for pushes", 401, try await token(world, audience: PushChannel.audience)),
                ("a token of another namespace", 403, try await token(world, namespace: "default")),
                ("a token of its namespace", 200, own), ("the same again", 200, own),
            ]
            for (what, status, token) in cases {
                let answer = try await ask(transport, token: token, host: host)
                #expect(answer.status == status, "\(what)")
                #expect((answer.headers["WWW-Authenticate"] != nil) == (status != 200), "\(what)")
            }
        }

        @Test(arguments: Backend.all)
        func whoAsksForCallersIsReachedByThoseOfItsNamespaceAlone(_ backend: Backend) async throws {
            try await GatewayInstallation.run(on: backend) { world, kubectl in
                try await world.apply(yaml: Self.model)
                try await world.wait("serving", seconds: 120) { $0.phase == "Serving" && $0.isTrue("Ready") }
                let plain = try CurlTransport(
                    TransportConfiguration(server: "http://\(try await Self.address(world, world.key("wine")))"))
                defer { plain.shutdown() }
                try await Self.expectOnlyItsOwnAreLetIn(world, plain)
                try await Self.withHTTPS(world, kubectl) { secure in
                    try await Self.expectOnlyItsOwnAreLetIn(world, secure, host: Self.host)
                    let answer = try await Self.ask(secure, token: nil, host: "nobody.example.com")
                    #expect(answer.status == 404)
                }
            }
        }

        /// Makes the Secret of the shared port, and asks there.
        private static func withHTTPS(
            _ world: StoryWorld, _ kubectl: Administrator, _ body: (CurlTransport) async throws -> Void
        ) async throws {
            let home = GatewayInstallation.home
            let certificates = try IngressCertificates(host)
            try await kubectl("-n", home, "apply", "-f", "-", input: certificates.secret)
            let key = ObjectKey(namespace: home, name: "assay-ingress")
            var configuration = TransportConfiguration(server: "https://\(try await address(world, key))")
            configuration.certificateAuthorityPEM = certificates.authority
            configuration.tlsServerName = host
            let transport = try CurlTransport(configuration)
            defer { transport.shutdown() }
            try await body(transport)
            try await kubectl("-n", home, "delete", "secret", "assay-ingress-tls")
        }
    }
}
