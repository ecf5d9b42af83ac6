internal import COpenSSL

/// The one owner of a memory BIO that PEM text is read from or written to.
struct PEMBuffer: ~Copyable {
    let raw: OpaquePointer

    init(_ bytes: [UInt8] = []) throws(TLSError) {
        ERR_clear_error()
        guard let raw = BIO_new(BIO_s_mem()) else { throw TLSError.drain("allocate a buffer") }
        guard bytes.isEmpty || Int(BIO_write(raw, bytes, Int32(clamping: bytes.count))) == bytes.count else {
            BIO_free(raw)
            throw TLSError.drain("buffer \(bytes.count) bytes of PEM")
        }
        self.raw = raw
    }

    deinit { BIO_free(raw) }

    func text() -> String {
        var bytes = [UInt8](repeating: 0, count: BIO_ctrl_pending(raw))
        let count = BIO_read(raw, &bytes, Int32(clamping: bytes.count))
        return String(decoding: bytes.prefix(Int(max(0, count))), as: UTF8.self)
    }
}

/// The one owner of an X509. It is not changed once made, so that tasks may share it.
final class Certificate: @unchecked Sendable {  // Safe: an X509 that nobody changes may be read from any thread.
    let raw: OpaquePointer

    /// Takes the handle over.
    init(owning raw: OpaquePointer) { self.raw = raw }
    deinit { X509_free(raw) }

    /// Reads every certificate of a PEM text; at least one.
    static func chain(pem: [UInt8], _ what: String) throws(TLSError) -> [Certificate] {
        let buffer = try PEMBuffer(pem)
        var result: [Certificate] = []
        ERR_clear_error()
        while let raw = PEM_read_bio_X509(buffer.raw, nil, nil, nil) { result.append(Certificate(owning: raw)) }
        guard cssl_is_end_of_pem(ERR_peek_last_error()) == 1 else { throw TLSError.drain("read the \(what)") }
        ERR_clear_error()
        if result.isEmpty { throw TLSError("read the \(what)", ["there is no PEM certificate in it"]) }
        return result
    }

    func pem() throws(TLSError) -> String {
        let buffer = try PEMBuffer()
        try check("write a certificate") { PEM_write_bio_X509(buffer.raw, raw) }
        return buffer.text()
    }
}

/// The one owner of an EVP_PKEY.
final class PrivateKey: @unchecked Sendable {  // Safe: a key that nobody changes may be used from any thread.
    let raw: OpaquePointer

    /// A new key on the curve P-256.
    init() throws(TLSError) {
        ERR_clear_error()
        guard let raw = cssl_p256_key() else { throw TLSError.drain("make a P-256 key") }
        self.raw = raw
    }

    init(pem: [UInt8]) throws(TLSError) {
        let buffer = try PEMBuffer(pem)
        ERR_clear_error()
        // An empty pass phrase is given, since OpenSSL would ask for one on the terminal.
        var passPhrase: [CChar] = [0]
        guard let raw = PEM_read_bio_PrivateKey(buffer.raw, nil, nil, &passPhrase) else {
            throw TLSError.drain("read the private key")
        }
        self.raw = raw
    }

    deinit { EVP_PKEY_free(raw) }

    /// PKCS #8, not encrypted.
    func pem() throws(TLSError) -> String {
        let buffer = try PEMBuffer()
        try check("write a private key") { PEM_write_bio_PrivateKey(buffer.raw, raw, nil, nil, 0, nil, nil) }
        return buffer.text()
    }
}
