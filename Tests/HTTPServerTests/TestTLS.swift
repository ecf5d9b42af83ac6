import OpenSSL

#if canImport(Glibc)
import Glibc
#else
import Musl
#endif

/// An authority, a server and two clients; and a third, which another authority has signed.
struct TestTLS {
    let server: TLSContext
    let client: TLSContext
    let anonymous: TLSContext
    let stranger: TLSContext

    init() throws {
        // OpenSSL checks the times of certificates against the real clock.
        let now = Duration.seconds(Int64(time(nil)))
        let authority = try CertificateAuthority(commonName: "test", now: now)
        let trusted = Array(authority.certificatePEM.utf8)
        let own = try authority.issue(
            CertificateRequest(commonName: "server", ipAddresses: ["127.0.0.1"], usage: .server), now: now)
        let user = try authority.issue(
            CertificateRequest(commonName: "alice", organizations: ["system:masters"], usage: .client), now: now)
        server = try TLSContext(
            serverCertificateChainPEM: Array(own.certificatePEM.utf8), privateKeyPEM: Array(own.privateKeyPEM.utf8),
            clientAuthorityPEM: trusted)
        client = try TLSContext(
            trustingPEM: trusted, certificateChainPEM: Array(user.certificatePEM.utf8),
            privateKeyPEM: Array(user.privateKeyPEM.utf8))
        anonymous = try TLSContext(trustingPEM: trusted)
        let other = try CertificateAuthority(commonName: "other", now: now).issue(
            CertificateRequest(commonName: "mallory", usage: .client), now: now)
        stranger = try TLSContext(
            trustingPEM: trusted, certificateChainPEM: Array(other.certificatePEM.utf8),
            privateKeyPEM: Array(other.privateKeyPEM.utf8))
    }
}
