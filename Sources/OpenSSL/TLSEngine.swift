internal import COpenSSL

/// One TLS connection without I/O: bytes in, bytes out. Its owner moves the bytes and looks for output after every call.
public struct TLSEngine: ~Copyable {
    public enum Role: Sendable {
        case server
        /// The name or address that the server's certificate must hold.
        case client(hostname: String)
    }

    public enum Handshake: Sendable, Hashable {
        case done, wantsInput, wantsOutput
    }

    public enum Read: Sendable, Hashable {
        /// So many bytes were read.
        case bytes(Int)
        case wantsInput, wantsOutput
        /// The peer ended its side in order (close_notify).
        case closed
        /// The transport ended, and the peer had not said so: what was read may be a part only.
        case truncated
    }

    public enum Write: Sendable, Hashable {
        case bytes(Int)
        case wantsInput, wantsOutput
    }

    private let ssl: OpaquePointer
    /// Ciphertext from the peer and to it. They belong to `ssl`, which frees them.
    private let input: OpaquePointer
    private let output: OpaquePointer
    private let roleName: String
    public private(set) var isEstablished = false
    /// After a fatal error OpenSSL allows no further call, not even to say farewell.
    private var hasFailed = false

    public init(_ context: TLSContext, role: Role) throws(TLSError) {
        ERR_clear_error()
        guard let input = BIO_new(BIO_s_mem()) else { throw TLSError.drain("allocate a buffer") }
        guard let output = BIO_new(BIO_s_mem()) else {
            BIO_free(input)
            throw TLSError.drain("allocate a buffer")
        }
        guard let ssl = SSL_new(context.raw) else {
            BIO_free(input)
            BIO_free(output)
            throw TLSError.drain("make a TLS connection")
        }
        SSL_set_bio(ssl, input, output)
        cssl_bio_set_eof(input, -1)
        let name: String
        switch role {
        case .server:
            name = "server"
            SSL_set_accept_state(ssl)
        case .client(let hostname):
            name = "client of \(hostname)"
            SSL_set_connect_state(ssl)
            // Where it is not an address it is a name, which may go into the server name indication as well.
            let isAddress = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), hostname) == 1
            if !isAddress, SSL_set1_host(ssl, hostname) != 1 || cssl_set_sni(ssl, hostname) != 1 {
                let error = TLSError.drain("expect the server name \(hostname)")
                SSL_free(ssl)
                throw error
            }
        }
        self.ssl = ssl
        self.input = input
        self.output = output
        roleName = name
    }

    deinit { SSL_free(ssl) }

    /// Takes bytes from the transport.
    public mutating func receive(_ bytes: UnsafeRawBufferPointer) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let slice = UnsafeRawBufferPointer(rebasing: rest.prefix(1 << 20))
            let taken = BIO_write(input, slice.baseAddress, Int32(slice.count))
            if taken <= 0 { return }  // Out of memory: the connection will miss bytes and fail in the open.
            rest = rest.dropFirst(Int(taken))
        }
    }

    /// Says that nothing more will come from the transport.
    public mutating func receiveEnd() { cssl_bio_set_eof(input, 0) }

    /// How many bytes of the peer's wait here, as ciphertext or decrypted. While it is 0 there is nothing to read.
    public var pendingInput: Int { BIO_ctrl_pending(input) + Int(SSL_pending(ssl)) }

    /// How many bytes wait to go to the transport.
    public var pendingOutput: Int { BIO_ctrl_pending(output) }

    /// Moves bytes for the transport into `buffer`; returns how many.
    public mutating func takeOutput(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        guard !buffer.isEmpty, pendingOutput > 0 else { return 0 }
        return Int(max(0, BIO_read(output, buffer.baseAddress, Int32(clamping: buffer.count))))
    }

    public mutating func handshake() throws(TLSError) -> Handshake {
        if isEstablished { return .done }
        ERR_clear_error()
        let result = SSL_do_handshake(ssl)
        if result == 1 {
            isEstablished = true
            return .done
        }
        switch SSL_get_error(ssl, result) {
        case SSL_ERROR_WANT_READ: return .wantsInput
        case SSL_ERROR_WANT_WRITE: return .wantsOutput
        default: throw failure("handshake as \(roleName)")
        }
    }

    /// Reads what the peer wrote; it goes on with the handshake where that is not done.
    public mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws(TLSError) -> Read {
        guard case .done = try handshake() else { return .wantsInput }
        ERR_clear_error()
        let result = SSL_read(ssl, buffer.baseAddress, Int32(clamping: buffer.count))
        if result > 0 { return .bytes(Int(result)) }
        switch SSL_get_error(ssl, result) {
        case SSL_ERROR_WANT_READ: return .wantsInput
        case SSL_ERROR_WANT_WRITE: return .wantsOutput
        case SSL_ERROR_ZERO_RETURN: return .closed
        default:
            if cssl_is_unexpected_eof(ERR_peek_last_error()) == 1 {
                ERR_clear_error()
                hasFailed = true
                return .truncated
            }
            throw failure("read as \(roleName)")
        }
    }

    /// Encrypts bytes for the peer. Give at most 16 kB at a time, the size of a record, to keep the output buffer small.
    public mutating func write(_ bytes: UnsafeRawBufferPointer) throws(TLSError) -> Write {
        if bytes.isEmpty { return .bytes(0) }
        guard case .done = try handshake() else { return .wantsInput }
        ERR_clear_error()
        let result = SSL_write(ssl, bytes.baseAddress, Int32(clamping: bytes.count))
        if result > 0 { return .bytes(Int(result)) }
        switch SSL_get_error(ssl, result) {
        case SSL_ERROR_WANT_READ: return .wantsInput
        case SSL_ERROR_WANT_WRITE: return .wantsOutput
        default: throw failure("write as \(roleName)")
        }
    }

    /// Says farewell (close_notify), where the connection is still able to.
    public mutating func close() {
        guard isEstablished, !hasFailed else { return }
        ERR_clear_error()
        _ = SSL_shutdown(ssl)
        ERR_clear_error()
    }

    /// What ALPN agreed on: "http/1.1", or nil.
    public var applicationProtocol: String? {
        var name: UnsafePointer<UInt8>?
        var count: UInt32 = 0
        SSL_get0_alpn_selected(ssl, &name, &count)
        return name.map { String(decoding: UnsafeBufferPointer(start: $0, count: Int(count)), as: UTF8.self) }
    }

    /// Whom the peer's certificate names; nil where it has none or it was not verified.
    public var peerSubject: CertificateSubject? {
        guard isEstablished, SSL_get_verify_result(ssl) == X509_V_OK, let raw = SSL_get1_peer_certificate(ssl) else {
            return nil
        }
        let certificate = Certificate(owning: raw)
        return withExtendedLifetime(certificate) { CertificateSubject(X509_get_subject_name(certificate.raw)) }
    }

    private mutating func failure(_ operation: String) -> TLSError {
        hasFailed = true
        var error = TLSError.drain(operation)
        let verified = SSL_get_verify_result(ssl)
        if verified != X509_V_OK, let text = X509_verify_cert_error_string(Int(verified)) {
            error.reasons.append(String(cString: text))
        }
        if error.reasons.isEmpty { error.reasons = ["the connection ended"] }
        return error
    }
}
