internal import COpenSSL

/// Keys, certificates and rules that connections share: TLS 1.2 or newer, HTTP/1.1 by ALPN, no session resumption.
public final class TLSContext: @unchecked Sendable {  // Safe: not changed once made, and its counters are atomic.
    let raw: OpaquePointer
    let isServer: Bool

    /// A server's context.
    ///
    /// - Parameters:
    ///   - certificateChainPEM: The server's certificate, then those that lead to its root.
    ///   - clientAuthorityPEM: With it, clients are asked for a certificate. They may have none; one that does not
    ///     come from these authorities ends the handshake.
    public init(
        serverCertificateChainPEM certificateChainPEM: [UInt8], privateKeyPEM: [UInt8],
        clientAuthorityPEM: [UInt8]? = nil
    ) throws(TLSError) {
        isServer = true
        raw = try Self.make(TLS_server_method())
        try use(certificateChainPEM, privateKeyPEM)
        cssl_ctx_select_http1(raw)
        if let clientAuthorityPEM {
            try trust(clientAuthorityPEM, "client authority", announce: true)
            SSL_CTX_set_verify(raw, SSL_VERIFY_PEER, nil)
        }
    }

    /// A client's context, which accepts servers with a certificate from the authorities only.
    public init(
        trustingPEM authorityPEM: [UInt8], certificateChainPEM: [UInt8]? = nil, privateKeyPEM: [UInt8]? = nil
    ) throws(TLSError) {
        isServer = false
        raw = try Self.make(TLS_client_method())
        try trust(authorityPEM, "authority", announce: false)
        SSL_CTX_set_verify(raw, SSL_VERIFY_PEER, nil)
        if let certificateChainPEM, let privateKeyPEM { try use(certificateChainPEM, privateKeyPEM) }
        ERR_clear_error()
        guard cssl_ctx_offer_http1(raw) == 0 else { throw TLSError.drain("offer http/1.1") }
    }

    deinit { SSL_CTX_free(raw) }

    private static func make(_ method: OpaquePointer?) throws(TLSError) -> OpaquePointer {
        ERR_clear_error()
        guard let raw = SSL_CTX_new(method) else { throw TLSError.drain("make a TLS context") }
        cssl_ctx_configure(raw)
        guard cssl_ctx_min_tls12(raw) == 1 else {
            SSL_CTX_free(raw)
            throw TLSError.drain("require TLS 1.2")
        }
        return raw
    }

    private func use(_ chainPEM: [UInt8], _ keyPEM: [UInt8]) throws(TLSError) {
        let chain = try Certificate.chain(pem: chainPEM, "certificate chain")
        let key = try PrivateKey(pem: keyPEM)
        for (index, certificate) in chain.enumerated() {
            if index == 0 {
                try check("use the certificate") { SSL_CTX_use_certificate(raw, certificate.raw) }
            } else {
                try check("use the certificate chain") {
                    X509_up_ref(certificate.raw)  // The context takes one reference over, where it succeeds.
                    let result = cssl_ctx_add_chain(raw, certificate.raw)
                    if result != 1 { X509_free(certificate.raw) }
                    return result
                }
            }
        }
        try check("use the private key") { SSL_CTX_use_PrivateKey(raw, key.raw) }
        try check("match the private key with the certificate") { SSL_CTX_check_private_key(raw) }
    }

    private func trust(_ pem: [UInt8], _ what: String, announce: Bool) throws(TLSError) {
        for certificate in try Certificate.chain(pem: pem, what) {
            try check("trust the \(what)") { X509_STORE_add_cert(SSL_CTX_get_cert_store(raw), certificate.raw) }
            if announce { try check("announce the \(what)") { SSL_CTX_add_client_CA(raw, certificate.raw) } }
        }
    }
}
