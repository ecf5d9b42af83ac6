internal import COpenSSL

/// When a certificate holds, as times since the Unix epoch.
public struct CertificateValidity: Sendable, Hashable {
    public var notBefore: Duration
    public var notAfter: Duration

    /// Reads the first certificate of a PEM text.
    public init(certificatePEM: [UInt8]) throws(TLSError) {
        let certificate = try Certificate.chain(pem: certificatePEM, "certificate")[0]
        notBefore = try Self.sinceEpoch(X509_get0_notBefore(certificate.raw))
        notAfter = try Self.sinceEpoch(X509_get0_notAfter(certificate.raw))
    }

    private static func sinceEpoch(_ time: UnsafePointer<ASN1_TIME>?) throws(TLSError) -> Duration {
        ERR_clear_error()
        guard let epoch = ASN1_TIME_set(nil, 0) else { throw TLSError.drain("make a time") }
        defer { ASN1_TIME_free(epoch) }
        var days: Int32 = 0
        var seconds: Int32 = 0
        try check("read a certificate's time") { ASN1_TIME_diff(&days, &seconds, epoch, time) }
        return .seconds(Int64(days) * 86_400 + Int64(seconds))
    }
}
