import APIServerModel
import Concurrency
import HTTPTransport
import KubernetesClient
import OpenSSL

/// Who the parts of a local cluster are.
public enum ClusterUser: String, Sendable, CaseIterable {
    case controllerManager = "system:kube-controller-manager"
    case scheduler = "system:kube-scheduler"
    case node = "system:node:local"
    case `operator` = "system:serviceaccount:assay-system:assay"

    var info: UserInfo {
        switch self {
        case .node: UserInfo(name: rawValue, groups: ["system:nodes", "system:authenticated"])
        case .operator: .serviceAccount(namespace: "assay-system", name: "assay")
        case .controllerManager, .scheduler:
            UserInfo(name: rawValue, groups: ["system:masters", "system:authenticated"])
        }
    }
}

/// The authority, the server's certificate and the users' credentials, all new with each start.
struct ClusterIdentity: Sendable {
    let authority: CertificateAuthority
    let serverCertificatePEM: String
    let serverKeyPEM: String
    let tokens: [ClusterUser: Secret]
    /// What the server's certificate says, also a later one.
    let serverRequest: CertificateRequest

    /// - Parameter addresses: under which the server is reached, beside loopback.
    init(names: [String], addresses: [String], now: Duration) throws(TLSError) {
        authority = try CertificateAuthority(commonName: "assay-local-ca", now: now)
        let request = CertificateRequest(
            commonName: "kube-apiserver",
            dnsNames: ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"] + names,
            ipAddresses: ["127.0.0.1", "::1"] + addresses, usage: .server)
        serverRequest = request
        (serverCertificatePEM, serverKeyPEM) = try authority.issue(request, now: now)
        var tokens: [ClusterUser: Secret] = [:]
        for user in ClusterUser.allCases { tokens[user] = Self.randomToken() }
        self.tokens = tokens
    }

    /// 256 bits of the system's random numbers.
    static func randomToken() -> Secret {
        var generator = SystemRandomNumberGenerator()
        let digits = Array("0123456789abcdef")
        return Secret(
            (0..<4).map { _ in
                let number = generator.next()
                return String((0..<16).map { digits[Int(number >> (4 * $0) & 15)] })
            }.joined())
    }

    var users: [String: UserInfo] {
        Dictionary(uniqueKeysWithValues: tokens.map { ($0.value.revealed, $0.key.info) })
    }

    func tls() throws(TLSError) -> TLSContext {
        try TLSContext(
            serverCertificateChainPEM: Array(serverCertificatePEM.utf8), privateKeyPEM: Array(serverKeyPEM.utf8),
            clientAuthorityPEM: Array(authority.certificatePEM.utf8))
    }

    /// A context with a new certificate of another authority, which takes clients' certificates of several.
    func tls(
        by authority: CertificateAuthority, clientAuthorities: [CertificateAuthority], now: Duration
    ) throws(TLSError) -> TLSContext {
        let issued = try authority.issue(serverRequest, now: now)
        return try TLSContext(
            serverCertificateChainPEM: Array(issued.certificatePEM.utf8),
            privateKeyPEM: Array(issued.privateKeyPEM.utf8),
            clientAuthorityPEM: Array(clientAuthorities.map(\.certificatePEM).joined().utf8))
    }
}
