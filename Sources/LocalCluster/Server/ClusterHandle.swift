import APIServerModel
import Concurrency
import HTTPServer
import HTTPTransport
import KubernetesClient
import KubernetesModel
import OpenSSL

/// A running local cluster, as those who use it see it.
public struct ClusterHandle: Sendable {
    /// `https://127.0.0.1:port`
    public let url: String
    public let port: Int
    public let certificateAuthorityPEM: String
    /// For people: a client certificate of the cluster's administrator. Only its owner can read the file.
    public let kubeconfigPath: String
    /// For the operator, when it runs as a process of its own.
    public let operatorKubeconfigPath: String
    public let dataDirectory: String
    let host: APIServerHost
    let server: HTTPServer
    let identity: ClusterIdentity
    let time: any TimeSource
    let stopSignal: AsyncStream<Void>.Continuation

    // MARK: Clients

    private var transport: TransportConfiguration {
        TransportConfiguration(server: url, certificateAuthorityPEM: Array(certificateAuthorityPEM.utf8))
    }

    /// For a client of one of the cluster's own users.
    public func configuration(_ user: ClusterUser, namespace: String = "default") -> ClientConfiguration {
        ClientConfiguration(
            transport: transport, credentials: identity.tokens[user].map { .token($0) } ?? .none, namespace: namespace)
    }

    public var operatorConfiguration: ClientConfiguration { configuration(.operator) }

    /// For a client with a new certificate of that name and those groups.
    public func configuration(
        user: String, groups: [String] = [], namespace: String = "default"
    ) throws -> ClientConfiguration {
        let issued = try identity.authority.issue(
            CertificateRequest(commonName: user, organizations: groups, usage: .client), now: time.wallNow())
        var transport = transport
        transport.clientCertificatePEM = Array(issued.certificatePEM.utf8)
        transport.clientKeyPEM = Array(issued.privateKeyPEM.utf8)
        return ClientConfiguration(transport: transport, credentials: .none, namespace: namespace)
    }

    public static let adminName = "kubernetes-admin"

    public func adminConfiguration() throws -> ClientConfiguration {
        try configuration(user: Self.adminName, groups: ["system:masters"])
    }

    // MARK: What the server knows

    /// How many writes of a user have changed something, or of all users together.
    public func writeCount(user: String? = nil, verb: String? = nil) async -> Int {
        if let user { return await host.writeCount(user: user, verb: verb) }
        return await host.writes.reduce(0) { $0 + (verb == nil || $1.key.verb == verb ? $1.value : 0) }
    }

    /// Writes that changed something, by user, verb and resource.
    public var writes: [WriteCount.Key: Int] { get async { await host.writes } }

    /// All requests, also those that changed nothing or were refused.
    public var requests: [RequestKind: Int] { get async { await host.requests } }

    public var resourceVersion: UInt64 { get async { await host.resourceVersion } }
    public var openWatchCount: Int { get async { await host.openWatchCount } }

    // MARK: What happens to it

    /// From here on the logs of pods on that node are read there.
    public func setLogSource(_ source: (any PodLogSource)?, node: String) async {
        await host.setLogSource(source, node: node)
    }

    /// Forgets all changes, so that watches from an older version get 410.
    public func compactHistory() async { await host.compactHistory() }

    public func inject(_ fault: ClusterFault) async { await host.inject(fault) }

    /// The next request that matches is refused and not carried out.
    public func refuseNext(
        _ status: KubernetesStatus, count: Int = 1, method: String? = nil, path: String = "", user: String? = nil
    ) async {
        await host.inject(ClusterFault(.refuse(status), count: count, method: method, path: path, user: user))
    }

    public func clearFaults() async { await host.clearFaults() }

    /// Ends every watch that is open, as a server does that goes away.
    public func endWatches() async { await host.endWatches() }

    /// The authority that signed the server's certificate and those of users when the cluster began.
    public var authority: CertificateAuthority { identity.authority }

    /// From here on new connections meet a certificate of `authority`, and clients' certificates count only where they are
    /// of one of `clientAuthorities`. Connections that are open go on.
    public func renewCertificates(
        by authority: CertificateAuthority, clientAuthorities: [CertificateAuthority]
    ) throws(TLSError) {
        server.renew(
            try identity.tls(by: authority, clientAuthorities: clientAuthorities, now: time.wallNow()))
    }

    /// Gives one of the cluster's own users another token, and takes the one before no more.
    public func renewToken(_ user: ClusterUser) async -> Secret {
        let token = ClusterIdentity.randomToken()
        await host.setToken(token, of: user.info)
        return token
    }

    /// Ends the cluster; `LocalCluster.run` returns soon after.
    public func stop() { stopSignal.finish() }
}
