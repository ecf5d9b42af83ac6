internal import COpenSSL

/// A certificate in the making. Nobody else sees its X509 before it is signed.
struct CertificateDraft {
    private let certificate: Certificate

    init(subject: CertificateSubject, key: PrivateKey, now: Duration, validFor: Duration) throws(TLSError) {
        ERR_clear_error()
        guard let raw = X509_new() else { throw TLSError.drain("make a certificate") }
        certificate = Certificate(owning: raw)
        try check("set the version") { X509_set_version(raw, 2) }  // Two stands for version 3.
        try Self.setSerialNumber(raw)
        let start = Int(now.components.seconds)
        try Self.set(X509_getm_notBefore(raw), start - 300)
        try Self.set(X509_getm_notAfter(raw), start + Int(validFor.components.seconds))
        let name = X509_get_subject_name(raw)
        for organization in subject.organizations { try Self.add(name, NID_organizationName, organization) }
        try Self.add(name, NID_commonName, subject.commonName)
        try check("set the public key") { X509_set_pubkey(raw, key.raw) }
    }

    var subjectName: OpaquePointer? { X509_get_subject_name(certificate.raw) }

    func add(_ kind: Int32, _ value: String, issuer: CertificateDraft) throws(TLSError) {
        try add(kind, value, issuer: issuer.certificate)
    }

    func add(_ kind: Int32, _ value: String, issuer: Certificate) throws(TLSError) {
        ERR_clear_error()
        guard let made = cssl_extension(issuer.raw, certificate.raw, kind, value) else {
            throw TLSError.drain("make the extension `\(value)`")
        }
        defer { X509_EXTENSION_free(made) }
        try check("add the extension `\(value)`") { X509_add_ext(certificate.raw, made, -1) }
    }

    func signed(issuer: OpaquePointer?, key: PrivateKey) throws(TLSError) -> Certificate {
        let raw = certificate.raw
        try check("set the issuer") { X509_set_issuer_name(raw, issuer) }
        ERR_clear_error()
        guard X509_sign(raw, key.raw, EVP_sha256()) > 0 else { throw TLSError.drain("sign a certificate") }
        return certificate
    }

    /// 127 random bits, more than the 64 that the CA/Browser forum asks for.
    private static func setSerialNumber(_ raw: OpaquePointer) throws(TLSError) {
        var bytes = [UInt8](repeating: 0, count: 16)
        try check("make a serial number") { RAND_bytes(&bytes, Int32(bytes.count)) }
        bytes[0] &= 0x7f
        guard let number = BN_bin2bn(bytes, Int32(bytes.count), nil) else {
            throw TLSError.drain("make a serial number")
        }
        defer { BN_free(number) }
        guard BN_to_ASN1_INTEGER(number, X509_get_serialNumber(raw)) != nil else {
            throw TLSError.drain("set the serial number")
        }
    }

    private static func set(_ time: UnsafeMutablePointer<ASN1_TIME>?, _ seconds: Int) throws(TLSError) {
        guard ASN1_TIME_set(time, seconds) != nil else { throw TLSError.drain("set the time \(seconds)") }
    }

    private static func add(_ name: OpaquePointer?, _ kind: Int32, _ value: String) throws(TLSError) {
        let bytes = Array(value.utf8)
        try check("name the certificate's subject `\(value)`") {
            X509_NAME_add_entry_by_NID(name, kind, MBSTRING_UTF8, bytes, Int32(clamping: bytes.count), -1, 0)
        }
    }
}
