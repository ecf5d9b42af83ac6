import OpenSSL
import Testing

@Suite struct CertificateAuthorityTests {
    @Test("An authority that was stored issues certificates that its trusters accept")
    func stored() throws {
        let now = Duration.seconds(1_767_225_600)
        let made = try CertificateAuthority(commonName: "test", now: now)
        let taken = try CertificateAuthority(
            certificatePEM: Array(made.certificatePEM.utf8), privateKeyPEM: Array(made.privateKeyPEM().utf8))
        #expect(taken.certificatePEM == made.certificatePEM)
        let issued = try taken.issue(CertificateRequest(commonName: "c", usage: .client), now: now)
        #expect(issued.certificatePEM.hasPrefix("-----BEGIN CERTIFICATE-----\n"))
        #expect(issued.privateKeyPEM.hasPrefix("-----BEGIN PRIVATE KEY-----\n"))

        let other = try CertificateAuthority(commonName: "other", now: now)
        #expect(throws: TLSError.self) {
            try CertificateAuthority(
                certificatePEM: Array(made.certificatePEM.utf8), privateKeyPEM: Array(other.privateKeyPEM().utf8))
        }
    }

    @Test("A certificate says when it holds: from five minutes before it was made")
    func validity() throws {
        // Before 2050 and after it, which are written in two ways.
        for now in [Duration.seconds(1_767_225_600), .seconds(2_600_000_000)] {
            let authority = try CertificateAuthority(commonName: "test", validFor: .seconds(86_400), now: now)
            let issued = try authority.issue(
                CertificateRequest(commonName: "s", usage: .server, validFor: .seconds(3600)), now: now)
            let ofAuthority = try CertificateValidity(certificatePEM: Array(authority.certificatePEM.utf8))
            let ofServer = try CertificateValidity(certificatePEM: Array(issued.certificatePEM.utf8))
            #expect(ofAuthority.notBefore == now - .seconds(300) && ofAuthority.notAfter == now + .seconds(86_400))
            #expect(ofServer.notBefore == now - .seconds(300) && ofServer.notAfter == now + .seconds(3600))
        }
        #expect(throws: TLSError.self) { try CertificateValidity(certificatePEM: Array("nothing".utf8)) }
    }

    @Test(
        "A name that is none is refused, and so cannot smuggle in another",
        arguments: [
            (["a,DNS:evil"], [], "`a,DNS:evil` is not a DNS name"), ([""], [], "`` is not a DNS name"),
            ([], ["1.2.3"], "`1.2.3` is not an IP address"), ([], ["::1,DNS:x"], "`::1,DNS:x` is not an IP address"),
        ] as [([String], [String], String)])
    func names(_ dns: [String], _ addresses: [String], _ message: String) throws {
        let authority = try CertificateAuthority(commonName: "test", now: .seconds(1_767_225_600))
        let request = CertificateRequest(commonName: "s", dnsNames: dns, ipAddresses: addresses, usage: .server)
        let error = #expect(throws: TLSError.self) { try authority.issue(request, now: .seconds(1_767_225_600)) }
        #expect(error?.reasons == [message])
    }

    @Test("A common name that is longer than the standard's 64 characters is refused")
    func longName() throws {
        let name = String(repeating: "x", count: 65)
        #expect(throws: TLSError.self) { try CertificateAuthority(commonName: name, now: .seconds(1_767_225_600)) }
    }
}
