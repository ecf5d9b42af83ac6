import FoundationEssentials
import OpenSSL

/// What a person has made for the shared port, by an authority of their own.
struct IngressCertificates: Sendable {
    /// As a Secret of the gateway's.
    let secret: String
    /// Whom clients trust.
    let authority: [UInt8]

    init(_ host: String) throws {
        // OpenSSL checks the times of certificates against the real clock.
        let now = Duration.seconds(Date().timeIntervalSince1970)
        let signer = try CertificateAuthority(commonName: "story", now: now)
        let issued = try signer.issue(
            CertificateRequest(commonName: host, dnsNames: [host], usage: .server), now: now)
        authority = Array(signer.certificatePEM.utf8)
        func indented(_ text: String) -> String {
            text.split(separator: "\n").map { "    \($0)\n" }.joined()
        }
        secret = """
            apiVersion: v1
            kind: Secret
            metadata: {name: assay-ingress-tls}
            type: kubernetes.io/tls
            stringData:
              tls.crt: |
            \(indented(issued.certificatePEM))  tls.key: |
            \(indented(issued.privateKeyPEM))
            """
    }
}
