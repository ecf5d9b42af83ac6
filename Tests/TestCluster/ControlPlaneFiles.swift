import Concurrency
import FoundationEssentials
import HTTPTransport
import KubernetesClient
import LocalCluster
import OpenSSL

/// The keys, certificates and files that a control plane is started with.
struct ControlPlaneFiles: Sendable {
    let directory: String
    let server: String
    let authority: CertificateAuthority
    private let serverRequest: CertificateRequest
    private let time = SystemTime()

    /// - Parameters:
    ///   - server: `https://127.0.0.1:port`
    ///   - addresses: under which the API server is reached beside loopback.
    init(directory: String, server: String, addresses: [String]) throws {
        self.directory = directory
        self.server = server
        let now = time.wallNow()
        authority = try CertificateAuthority(commonName: "assay-test-ca", now: now)
        let names = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"]
        serverRequest = CertificateRequest(
            commonName: "kube-apiserver", dnsNames: names + ["kubernetes.default.svc.cluster.local"],
            ipAddresses: ["127.0.0.1"] + addresses, usage: .server)
        try write(authority.certificatePEM, "ca.crt")
        try write(authority.issue(serverRequest, now: now), "apiserver")
        // Of a certificate like any other, for its key.
        try write(
            authority.issue(CertificateRequest(commonName: "service-accounts", usage: .client), now: now), "accounts")
        // What every request was, without its body; once, when it is over.
        try write(
            """
            apiVersion: audit.k8s.io/v1
            kind: Policy
            omitStages: [RequestReceived, ResponseStarted]
            rules:
            - {level: None, users: ["system:apiserver", "system:kube-controller-manager", "system:kube-scheduler"]}
            - {level: None, userGroups: ["system:serviceaccounts:kube-system"]}
            - {level: Metadata}
            """, "audit-policy.yaml")
    }

    /// Rewrites what the API server reads again by itself, once a minute: its own certificate, and whose certificates of
    /// clients count.
    func renew(by authority: CertificateAuthority, clientAuthorities: [CertificateAuthority]) throws {
        try write(authority.issue(serverRequest, now: time.wallNow()), "apiserver")
        try write(clientAuthorities.map(\.certificatePEM).joined(), "ca.crt")
    }

    func path(_ name: String) -> String { "\(directory)/\(name)" }

    /// The certificate in `<name>.crt` and its key in `<name>.key`.
    private func write(_ issued: (certificatePEM: String, privateKeyPEM: String), _ name: String) throws {
        try write(issued.certificatePEM, "\(name).crt")
        try write(issued.privateKeyPEM, "\(name).key")
    }

    private func write(_ text: String, _ name: String) throws {
        try Data(text.utf8).write(to: URL(filePath: path(name)))
    }

    /// For a client with a new certificate of that name and those groups.
    func configuration(user: String, groups: [String]) throws -> ClientConfiguration {
        let issued = try certificate(user, groups)
        return ClientConfiguration(
            transport: TransportConfiguration(
                server: server, certificateAuthorityPEM: Array(authority.certificatePEM.utf8),
                clientCertificatePEM: Array(issued.certificatePEM.utf8),
                clientKeyPEM: Array(issued.privateKeyPEM.utf8)))
    }

    /// Writes a kubeconfig with a new certificate and returns its path.
    func kubeconfig(user: String, groups: [String] = []) throws -> String {
        let issued = try certificate(user, groups)
        return try kubeconfig(
            user, .certificate(certificatePEM: issued.certificatePEM, keyPEM: issued.privateKeyPEM))
    }

    func kubeconfig(_ user: String, _ credentials: KubeconfigFile.Credentials) throws -> String {
        let path = path("\(user.replacing(":", with: "-")).kubeconfig")
        try KubeconfigFile(
            cluster: "assay-test", server: server, authorityPEM: authority.certificatePEM, user: user,
            credentials: credentials
        ).write(to: path)
        return path
    }

    private func certificate(
        _ user: String, _ groups: [String]
    ) throws(TLSError) -> (certificatePEM: String, privateKeyPEM: String) {
        try authority.issue(
            CertificateRequest(commonName: user, organizations: groups, usage: .client), now: time.wallNow())
    }
}
