import AssayCore
import JSON
import KubernetesModel
import OpenSSL

/// How a Secret keeps what serves pushes.
enum PushSecret {
    private static let nextSince = "next-since"
    private static let names = "names"

    /// Reads what is usable of it: what somebody has broken is made anew, as though it had never been.
    static func read(_ secret: JSONValue) -> PushCertificates {
        var result = PushCertificates()
        result.authority = certificate(secret, "ca.crt", "ca.key")
        result.next = certificate(secret, "next-ca.crt", "next-ca.key")
        result.previous = certificate(secret, "previous-ca.crt", nil)
        result.serving = certificate(secret, "tls.crt", "tls.key")
        result.nextSince = text(secret, nextSince).flatMap { Timestamp($0) }
        result.token = text(secret, "token").flatMap { $0.isEmpty ? nil : $0 }
        result.names = (text(secret, names) ?? "").split(separator: "\n").map(String.init)
        return result
    }

    /// All of its data. What is not there any more is null, so that it can be merged into what was there.
    static func data(_ certificates: PushCertificates) -> JSONValue {
        var data: JSONValue = [:]
        func put(_ name: String, _ text: String?) {
            if let text { data[name] = .string(Base64.encode(Array(text.utf8))) }
        }
        put("ca.crt", certificates.authority?.certificate)
        put("ca.key", certificates.authority?.key)
        put("next-ca.crt", certificates.next?.certificate)
        put("next-ca.key", certificates.next?.key)
        put("previous-ca.crt", certificates.previous?.certificate)
        put("tls.crt", certificates.serving?.certificate)
        put("tls.key", certificates.serving?.key)
        put("token", certificates.token)
        put(nextSince, certificates.nextSince?.description)
        put(names, certificates.names.joined(separator: "\n"))
        return data
    }

    private static func text(_ secret: JSONValue, _ name: String) -> String? {
        secret["data", name]?.string.flatMap(Base64.decode).map { String(decoding: $0, as: UTF8.self) }
    }

    private static func certificate(_ secret: JSONValue, _ name: String, _ key: String?) -> PushCertificate? {
        guard let certificate = text(secret, name) else { return nil }
        let key = key.flatMap { text(secret, $0) }
        do throws(TLSError) {
            let validity = try CertificateValidity(certificatePEM: Array(certificate.utf8))
            if let key {
                // Throws where the two do not belong together.
                _ = try TLSContext(
                    serverCertificateChainPEM: Array(certificate.utf8), privateKeyPEM: Array(key.utf8))
            }
            return PushCertificate(
                certificate: certificate, key: key, notBefore: Timestamp(sinceEpoch: validity.notBefore),
                notAfter: Timestamp(sinceEpoch: validity.notAfter))
        } catch {
            return nil
        }
    }
}

extension PushCertificates {
    /// Carries out a step of a plan.
    mutating func carryOut(_ step: Step, names: [String], now: Timestamp) throws(TLSError) {
        switch step {
        case .makeAuthority:
            let token = token
            self = PushCertificates()
            self.token = token
            authority = try Self.newAuthority(now)
        case .publishNext:
            next = try Self.newAuthority(now)
            nextSince = now.truncatedToSeconds
        case .promoteNext:
            guard let next else { return }
            previous = authority
            previous?.key = nil
            authority = next
            self.next = nil
            nextSince = nil
        case .issueServing: try issueServing(names: names, now: now)
        case .dropPrevious: previous = nil
        }
    }

    private static func newAuthority(_ now: Timestamp) throws(TLSError) -> PushCertificate {
        // The date tells the authorities of a bundle apart, for a person who looks into one.
        let name = "assay push \(now.truncatedToSeconds)"
        let made = try CertificateAuthority(commonName: name, validFor: authorityLife, now: now.sinceEpoch)
        return try certificate(made.certificatePEM, key: made.privateKeyPEM())
    }

    private mutating func issueServing(names: [String], now: Timestamp) throws(TLSError) {
        guard let authority, let key = authority.key else { return }
        let signer = try CertificateAuthority(
            certificatePEM: Array(authority.certificate.utf8), privateKeyPEM: Array(key.utf8))
        // By the alternative names alone a client knows it; this one has room for 64 bytes only.
        var request = CertificateRequest(commonName: "assay-push", usage: .server)
        request.validFor = Self.servingLife(of: authority, now: now)
        request.ipAddresses = names.filter(Self.isAddress)
        request.dnsNames = names.filter { !Self.isAddress($0) }
        let issued = try signer.issue(request, now: now.sinceEpoch)
        serving = try Self.certificate(issued.certificatePEM, key: issued.privateKeyPEM)
        self.names = names
    }

    private static func certificate(_ text: String, key: String) throws(TLSError) -> PushCertificate {
        let validity = try CertificateValidity(certificatePEM: Array(text.utf8))
        return PushCertificate(
            certificate: text, key: key, notBefore: Timestamp(sinceEpoch: validity.notBefore),
            notAfter: Timestamp(sinceEpoch: validity.notAfter))
    }

    /// An IPv6 address has colons in it, and no name is of digits and points alone.
    private static func isAddress(_ name: String) -> Bool {
        name.contains(":")
            || name.utf8.allSatisfy { $0 == UInt8(ascii: ".") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }
}
