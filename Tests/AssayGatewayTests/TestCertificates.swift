import OpenSSL

#if canImport(Glibc)
import Glibc
#else
import Musl
#endif

/// An authority of its own, with a server's certificate for 127.0.0.1 and `wine.example`.
struct TestCertificates: Sendable {
    let certificate: String
    let key: String
    /// Of a client that trusts this authority alone.
    let client: TLSContext

    init() throws {
        // OpenSSL checks the times of certificates against the real clock.
        let now = Duration.seconds(Int64(time(nil)))
        let authority = try CertificateAuthority(commonName: "test", now: now)
        let issued = try authority.issue(
            CertificateRequest(
                commonName: "server", dnsNames: ["wine.example"], ipAddresses: ["127.0.0.1"], usage: .server),
            now: now)
        certificate = issued.certificatePEM
        key = issued.privateKeyPEM
        client = try TLSContext(trustingPEM: Array(authority.certificatePEM.utf8))
    }

    func server() throws -> TLSContext {
        try TLSContext(serverCertificateChainPEM: Array(certificate.utf8), privateKeyPEM: Array(key.utf8))
    }
}
