import APIServerModel
import CurlTransport
import FoundationEssentials
import HTTPTransport
import JSON
import KubernetesClient
import KubernetesModel
import LocalCluster
import Logging
import Testing
import YAML

/// A cluster that tests are told on, whichever kind it is: an API server, its controllers, and a node that runs pods.
public struct TestCluster: Sendable {
    enum Server: Sendable {
        case local(ClusterHandle)
        case started(ControlPlaneFiles, AuditLog, Etcd)
        case existing(ClientConfiguration)
    }

    public let backend: Backend
    /// `https://127.0.0.1:port`
    public let url: String
    /// The administrator's.
    public let kubeconfigPath: String
    /// `v1.20`
    public let version: String
    public let features: Set<ServerFeature>
    /// A client of the administrator.
    public let client: KubernetesClient
    let server: Server

    /// For faults, which only LocalCluster has.
    public var local: ClusterHandle? { if case .local(let handle) = server { handle } else { nil } }

    /// Skips the rest of the test case, by name, where the server lacks one of these.
    public func require(_ needed: ServerFeature..., sourceLocation: SourceLocation = #_sourceLocation) throws {
        for feature in needed where !features.contains(feature) {
            try Test.cancel("\(version) has no \(feature)", sourceLocation: sourceLocation)
        }
    }

    // MARK: Who may ask

    public func adminConfiguration() throws -> ClientConfiguration {
        switch server {
        case .local(let handle): try handle.adminConfiguration()
        case .started(let files, _, _):
            try files.configuration(user: ClusterHandle.adminName, groups: ["system:masters"])
        case .existing(let configuration): configuration
        }
    }

    /// For a client with a new certificate of that name and those groups.
    public func configuration(user: String, groups: [String] = []) throws -> ClientConfiguration {
        switch server {
        case .local(let handle): try handle.configuration(user: user, groups: groups)
        case .started(let files, _, _): try files.configuration(user: user, groups: groups)
        case .existing: try Test.cancel("the authority of an existing cluster signs no certificates for tests")
        }
    }

    /// For a client that is a service account, by a new token.
    public func serviceAccount(_ key: ObjectKey) async throws -> ClientConfiguration {
        var configuration = try adminConfiguration()
        configuration.transport.clientCertificatePEM = nil
        configuration.transport.clientKeyPEM = nil
        configuration.credentials = .token(try await token(key))
        return configuration
    }

    private func token(_ key: ObjectKey) async throws -> String {
        let request: JSONValue = [
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
            "metadata": ["name": .string(key.name), "namespace": JSONValue(key.namespace) ?? .null],
            "spec": ["expirationSeconds": 7200],
        ]
        let answer = try await client.create(.serviceAccounts, request, subresource: "token", fieldManager: "test")
        guard let token = answer["status", "token"]?.string else {
            throw TestClusterError("no token in the answer for \(key): \(answer.serialized())")
        }
        return token
    }

    /// Writes a kubeconfig for a service account into a directory and returns its path.
    public func serviceAccountKubeconfig(_ key: ObjectKey, in directory: String) async throws -> String {
        let path = "\(directory)/\(key.name).kubeconfig"
        let configuration = try adminConfiguration()
        try KubeconfigFile(
            cluster: "test", server: url,
            authorityPEM: String(decoding: configuration.transport.certificateAuthorityPEM ?? [], as: UTF8.self),
            user: key.name, credentials: .token(try await token(key))
        ).write(to: path)
        return path
    }

    // MARK: What happened

    /// Has the server forget all changes up to now, as it does of itself every five minutes: pages that were begun before
    /// cannot be gone on with.
    public func forgetHistory() async throws {
        switch server {
        case .local(let handle): await handle.compactHistory()
        case .started(_, _, let etcd):
            let list = try await client.list(.namespaces, ListOptions(limit: 1))
            try await etcd.compact(to: list.resourceVersion)
        case .existing: try Test.cancel("an existing cluster's history is its own")
        }
    }

    /// Whether ``requests()`` can be had: an existing cluster keeps its audit log to itself.
    public var countsRequests: Bool {
        if case .existing = server { false } else { true }
    }

    /// All requests that were answered until now, counted; those of the control plane itself left out.
    public func requests() async throws -> [RequestRecord: Int] {
        switch server {
        case .local(let handle):
            var result: [RequestRecord: Int] = [:]
            for (kind, count) in await handle.requests { result[RequestRecord(kind), default: 0] += count }
            return result
        case .started(_, let log, _): return try await log.requests()
        case .existing: try Test.cancel("an existing cluster's requests are not counted")
        }
    }
}

extension RequestRecord {
    init(_ kind: RequestKind) {
        self.init(
            user: kind.user, agent: kind.agent, verb: kind.verb, resource: kind.resource, namespace: kind.namespace,
            code: kind.code)
    }
}
