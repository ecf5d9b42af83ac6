internal import CCurl
import HTTPTransport

extension HTTPTransportError {
    /// What a failed transfer means for the caller.
    ///
    /// - Parameters:
    ///   - requestBytes: how many bytes of the request went out; none means that the server cannot have seen it.
    ///   - text: what libcurl said beyond the code. It names hosts and addresses, never header fields or bodies.
    init(curl code: CURLcode, requestBytes: Int, text: String) {
        var detail = text.isEmpty ? String(cString: curl_easy_strerror(code)) : text
        // What libcurl says here is that it will not send the body a second time.
        if code == CURLE_SEND_FAIL_REWIND { detail = "the connection broke before an answer came" }
        // By TLS 1.3 a client has sent its request when it hears that its certificate is refused; nobody has read it.
        let isRefusedCertificate = Self.certificateAlerts.contains { text.contains("alert \($0)") }
        // A server that dies in the midst of a handshake has said nothing of it.
        let isBrokenHandshake =
            code == CURLE_SSL_CONNECT_ERROR && Self.brokenConnections.contains { text.contains($0) }
        let meaning = isBrokenHandshake ? .connect : Self.code(code, requestBytes: requestBytes)
        self.init(isRefusedCertificate ? .tls : meaning, detail: detail)
    }

    /// libcurl's words, and OpenSSL's, for a connection that ended beneath TLS.
    private static let brokenConnections = ["Recv failure", "Send failure", "SSL_ERROR_SYSCALL", "reset by peer"]

    /// OpenSSL's words for the alerts that end a handshake over a certificate (RFC 8446 §6.2).
    private static let certificateAlerts = [
        "bad certificate", "unsupported certificate", "certificate revoked", "certificate expired",
        "certificate unknown", "unknown ca", "certificate required", "access denied",
    ]

    private static func code(_ code: CURLcode, requestBytes: Int) -> Code {
        switch code {
        case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY, CURLE_COULDNT_CONNECT: return .connect
        case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER,
            CURLE_SSL_CACERT_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_ENGINE_INITFAILED,
            CURLE_SSL_INVALIDCERTSTATUS, CURLE_SSL_CLIENTCERT:
            return .tls
        case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL, CURLE_BAD_FUNCTION_ARGUMENT, CURLE_UNKNOWN_OPTION,
            CURLE_NOT_BUILT_IN, CURLE_OUT_OF_MEMORY, CURLE_FAILED_INIT:
            return requestBytes == 0 ? .invalidRequest : .broken
        case CURLE_OPERATION_TIMEDOUT: return requestBytes == 0 ? .connect : .timeout
        default: return requestBytes == 0 ? .connect : .broken
        }
    }
}
