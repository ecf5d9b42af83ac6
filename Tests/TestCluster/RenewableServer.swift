import Concurrency
import CurlTransport
import HTTPTransport
import JSON
import KubernetesClient
import KubernetesModel
import LocalCluster
import OpenSSL
import Testing

/// An API server of a test's own, whose certificates and tokens are renewed while it runs.
public struct RenewableServer: Sendable {
    private enum Kind: Sendable {
        case local(ClusterHandle)
        case kubernetes(ControlPlaneFiles, KubernetesClient)
    }

    public let url: String
    /// Signed the server's certificate, and those of clients that count, at the start.
    public let authority: CertificateAuthority
    /// How long the server may take to use what it was given.
    public let delay: Duration
    private let kind: Kind
    /// Numbers the tokens.
    private let tokens = Locked(0)

    /// No pod will run there.
    private static var noBridge: NodeNetworkOptions {
        var options = NodeNetworkOptions()
        options.mode = .host
        return options
    }

    private static let account = ObjectKey(namespace: "default", name: "renewed")

    public static func run(
        on backend: Backend, _ body: @escaping @Sendable (RenewableServer) async throws -> Void
    ) async throws {
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        switch backend {
        case .local:
            var options = LocalCluster.Options(dataDirectory: "\(directory.path)/cluster")
            // They would need renewed certificates themselves.
            options.runsControllers = false
            options.runsScheduler = false
            try await LocalCluster.with(options, logger: TestCluster.logger) { handle in
                try await body(
                    RenewableServer(
                        url: handle.url, authority: handle.authority, delay: .seconds(5), kind: .local(handle)))
            }
        case .kubernetes(.programs(let programs)):
            let network = try await NodeNetwork.open(Self.noBridge, logger: TestCluster.logger)
            let plane = try await ControlPlane(
                programs: programs, directory: directory.path, network: network, logger: TestCluster.logger)
            try await plane.runServer { client in
                let server = RenewableServer(
                    url: plane.files.server, authority: plane.files.authority, delay: .seconds(150),
                    kind: .kubernetes(plane.files, client))
                try await server.makeAccount(client)
                try await body(server)
            }
        case .kubernetes(.existing): try Test.cancel("the certificates of an existing cluster are not touched")
        case .kubernetes(.missing(let reason)): throw TestClusterError(reason)
        }
    }

    // MARK: Certificates

    /// From here on, or within ``delay``, the server shows a certificate of `authority` and takes clients' certificates of
    /// `clientAuthorities` only.
    public func renewCertificates(
        by authority: CertificateAuthority, clientAuthorities: [CertificateAuthority]
    ) throws {
        switch kind {
        case .local(let handle):
            try handle.renewCertificates(by: authority, clientAuthorities: clientAuthorities)
        case .kubernetes(let files, _): try files.renew(by: authority, clientAuthorities: clientAuthorities)
        }
    }

    /// The certificate and key of an administrator.
    public static func administrator(
        of authority: CertificateAuthority
    ) throws -> (certificatePEM: String, privateKeyPEM: String) {
        try authority.issue(
            CertificateRequest(
                commonName: ClusterHandle.adminName, organizations: ["system:masters"], usage: .client),
            now: SystemTime().wallNow())
    }

    // MARK: Tokens

    /// A user that is known by tokens, and may do anything.
    private func makeAccount(_ client: KubernetesClient) async throws {
        let group = "rbac.authorization.k8s.io"
        _ = try await client.create(
            .serviceAccounts, ["metadata": ["name": .string(Self.account.name), "namespace": "default"]],
            fieldManager: "test")
        _ = try await client.create(
            ResourceType(
                group: group, version: "v1", plural: "clusterrolebindings", kind: "ClusterRoleBinding",
                isNamespaced: false),
            [
                "metadata": ["name": .string(Self.account.name)],
                "roleRef": ["apiGroup": .string(group), "kind": "ClusterRole", "name": "cluster-admin"],
                "subjects": [
                    ["kind": "ServiceAccount", "name": .string(Self.account.name), "namespace": "default"]
                ],
            ], fieldManager: "test")
    }

    /// A new token of a user who may do anything. `client` is one whose certificate counts.
    public func newToken(_ client: KubernetesClient) async throws -> String {
        switch kind {
        case .local(let handle): return await handle.renewToken(.controllerManager).revealed
        case .kubernetes:
            let number = tokens.withLock { number in
                number += 1
                return number
            }
            // A token that is bound to an object is refused when that is gone.
            let secret: JSONValue = ["metadata": ["name": .string("token-\(number)"), "namespace": "default"]]
            _ = try await client.create(.secrets, secret, fieldManager: "test")
            let answer = try await client.create(
                .serviceAccounts,
                [
                    "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
                    "metadata": ["name": .string(Self.account.name), "namespace": "default"],
                    "spec": [
                        "boundObjectRef": ["apiVersion": "v1", "kind": "Secret", "name": .string("token-\(number)")]
                    ],
                ], subresource: "token", fieldManager: "test")
            return try #require(answer["status", "token"]?.string)
        }
    }

    /// Has all tokens but the newest refused.
    public func revokeOldTokens(_ client: KubernetesClient) async throws {
        guard case .kubernetes = kind else { return }  // There a new token has put the old one out of use.
        let newest = tokens.withLock { $0 }
        guard newest > 1 else { return }
        try await client.delete(.secrets, ObjectKey(namespace: "default", name: "token-\(newest - 1)"))
    }
}
