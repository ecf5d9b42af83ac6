internal import CCurl
import HTTPTransport

/// In-memory certificates at fixed addresses, for as long as any handle uses them.
struct PinnedCertificates: ~Copyable {
    let authority: PinnedBytes?
    let certificate: PinnedBytes?
    let key: PinnedBytes?

    init(_ configuration: TransportConfiguration) {
        authority = PinnedBytes(configuration.certificateAuthorityPEM)
        certificate = PinnedBytes(configuration.clientCertificatePEM)
        key = PinnedBytes(configuration.clientKeyPEM)
    }
}

extension TransferEntry {
    /// Sets every option of the handle, which is new or was reset. Returns the first code that is not OK.
    func configure(
        _ request: HTTPRequest, _ settings: TransferSettings, _ certificates: borrowing PinnedCertificates
    ) -> CURLcode {
        var options = OptionSetter(handle: handle)
        attach()
        setSafety(&options, settings)
        setTLS(&options, request, settings, certificates)
        setProxyTLS(&options, settings, certificates)
        setFlow(&options, request, settings)
        setRequest(&options, request, settings)
        return options.result
    }

    private func setSafety(_ options: inout OptionSetter, _ settings: TransferSettings) {
        options.set(CURLOPT_NOSIGNAL, 1)
        // Without it a cancelled slow name look-up is awaited, and all transfers with it.
        options.set(CURLOPT_QUICK_EXIT, 1)
        options.set(CURLOPT_PROTOCOLS_STR, settings.server.isTLS ? "https" : "http")
        options.set(CURLOPT_FOLLOWLOCATION, 0)
        // Set in any case, or the environment's would count.
        options.set(CURLOPT_PROXY, settings.proxy)
        options.set(CURLOPT_NOPROXY, "")
        options.set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
        options.set(CURLOPT_PATH_AS_IS, 1)
        if settings.configuration.refusesNodeAddresses { options.note(refuseNodeAddresses()) }
    }

    /// A proxy by https is held to what the server is held to; it never sees the client's certificate.
    private func setProxyTLS(
        _ options: inout OptionSetter, _ settings: TransferSettings, _ certificates: borrowing PinnedCertificates
    ) {
        guard settings.proxy.hasPrefix("https:") else { return }
        let verifies = !settings.configuration.insecureSkipTLSVerify
        options.set(CURLOPT_PROXY_SSL_VERIFYPEER, verifies ? 1 : 0)
        options.set(CURLOPT_PROXY_SSL_VERIFYHOST, verifies ? 2 : 0)
        options.set(CURLOPT_PROXY_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
        switch certificates.authority {
        case .some(let authority):
            options.set(CURLOPT_PROXY_CAINFO_BLOB, authority)
            options.clear(CURLOPT_PROXY_CAPATH)
        case .none: break
        }
    }

    private func setTLS(
        _ options: inout OptionSetter, _ request: HTTPRequest, _ settings: TransferSettings,
        _ certificates: borrowing PinnedCertificates
    ) {
        guard settings.server.isTLS else { return }
        let verifies = !settings.configuration.insecureSkipTLSVerify
        options.set(CURLOPT_SSL_VERIFYPEER, verifies ? 1 : 0)
        options.set(CURLOPT_SSL_VERIFYHOST, verifies ? 2 : 0)
        var versions = Int(CURL_SSLVERSION_TLSv1_2)
        if case .stream = request.delivery {
            // Without a meaning but that libcurl keeps these connections apart. Once it has seen a server speak HTTP/2, it
            // (7.88) also sends requests over a busy connection of HTTP/1.1, where they wait for the stream's end.
            versions |= Int(CURL_SSLVERSION_MAX_DEFAULT)
        }
        options.set(CURLOPT_SSLVERSION, versions)
        switch certificates.authority {
        case .some(let authority):
            options.set(CURLOPT_CAINFO_BLOB, authority)
            // Beside the blob libcurl would still trust what lies in the system's directory.
            options.clear(CURLOPT_CAPATH)
        case .none: break
        }
        switch certificates.certificate {
        case .some(let certificate):
            options.set(CURLOPT_SSLCERT_BLOB, certificate)
            options.set(CURLOPT_SSLCERTTYPE, "PEM")
        case .none: break
        }
        switch certificates.key {
        case .some(let key):
            options.set(CURLOPT_SSLKEY_BLOB, key)
            options.set(CURLOPT_SSLKEYTYPE, "PEM")
        case .none: break
        }
    }

    private func setFlow(_ options: inout OptionSetter, _ request: HTTPRequest, _ settings: TransferSettings) {
        options.set(CURLOPT_CONNECTTIMEOUT_MS, Int(settings.configuration.connectTimeout.wholeMilliseconds))
        options.set(CURLOPT_TCP_KEEPALIVE, 1)
        options.set(CURLOPT_TCP_KEEPIDLE, 30)
        options.set(CURLOPT_TCP_KEEPINTVL, 15)
        options.note(ccurl_limit_silence(handle))
        var version = settings.server.isTLS ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1
        switch request.delivery {
        case .unary(let timeout): options.set(CURLOPT_TIMEOUT_MS, Int(timeout.wholeMilliseconds))
        case .watch: break
        // Pausing one stream of an HTTP/2 connection bounds no memory, and holds up the others.
        case .stream: version = CURL_HTTP_VERSION_1_1
        }
        options.set(CURLOPT_HTTP_VERSION, Int(version))
        options.set(CURLOPT_PIPEWAIT, version == CURL_HTTP_VERSION_2TLS ? 1 : 0)
    }

    private func setRequest(_ options: inout OptionSetter, _ request: HTTPRequest, _ settings: TransferSettings) {
        options.set(CURLOPT_URL, settings.server.url(host: settings.urlHost, target: request.target))
        var lines = request.headers.fields.map {
            // libcurl's way to send a field without a value.
            $0.value.isEmpty ? "\($0.name);" : "\($0.name): \($0.value)"
        }
        if let connectTo = settings.connectTo {
            options.set(CURLOPT_CONNECT_TO, list([connectTo]))
            if request.headers["Host"] == nil { lines.append("Host: \(settings.server.authority)") }
        }
        setMethod(&options, request, settings, &lines)
        if let signing = settings.configuration.signing { sign(&options, signing, &lines) }
        options.set(CURLOPT_HTTPHEADER, list(lines))
    }

    private func sign(_ options: inout OptionSetter, _ signing: RequestSigning, _ lines: inout [String]) {
        options.set(CURLOPT_AWS_SIGV4, "aws:amz:\(signing.region):\(signing.service)")
        options.set(CURLOPT_USERNAME, signing.accessKey)
        options.set(CURLOPT_PASSWORD, signing.secretKey)
        if let token = signing.sessionToken { lines.append("x-amz-security-token: \(token)") }
    }

    private func setMethod(
        _ options: inout OptionSetter, _ request: HTTPRequest, _ settings: TransferSettings, _ lines: inout [String]
    ) {
        let method = request.method
        if method == .get, request.body == nil { return }
        if method == .head {
            options.set(CURLOPT_NOBODY, 1)
            return
        }
        if method != .post { options.set(CURLOPT_CUSTOMREQUEST, method.rawValue) }
        if method == .delete, request.body == nil { return }
        options.set(CURLOPT_POST, 1)
        let count = request.body?.count ?? 0
        if count == 0 { options.set(CURLOPT_COPYPOSTFIELDS, "") }
        // The body comes from the read callback, which cannot be rewound: libcurl sends a request again, by itself, when a
        // connection used before turns out dead, and must not once a part of a body went out.
        options.set(CURLOPT_POSTFIELDSIZE_LARGE, offset: count)
        if settings.configuration.signing != nil {
            // Fields that libcurl (7.88) is told to leave out are signed as if they were sent: none may be. A large body
            // then waits up to a second for 100 Continue, which S3 says before it takes one.
            if request.headers["Content-Type"] == nil { lines.append("Content-Type: application/octet-stream") }
            return
        }
        // No second wait for 100 Continue, and no form's type.
        lines.append("Expect:")
        if request.headers["Content-Type"] == nil { lines.append("Content-Type:") }
    }
}

/// Sets options and keeps the first failure.
private struct OptionSetter {
    let handle: UnsafeMutableRawPointer
    private(set) var result = CURLE_OK

    init(handle: UnsafeMutableRawPointer) { self.handle = handle }

    mutating func note(_ code: CURLcode) { if result == CURLE_OK { result = code } }

    mutating func set(_ option: CURLoption, _ value: Int) { note(ccurl_setopt_long(handle, option, value)) }
    mutating func set(_ option: CURLoption, offset: Int) { note(ccurl_setopt_offset(handle, option, offset)) }
    mutating func set(_ option: CURLoption, _ value: String) { note(ccurl_setopt_string(handle, option, value)) }
    mutating func clear(_ option: CURLoption) { note(ccurl_setopt_string(handle, option, nil)) }
    mutating func set(_ option: CURLoption, _ list: UnsafeMutablePointer<curl_slist>?) {
        note(ccurl_setopt_slist(handle, option, list))
    }
    mutating func set(_ option: CURLoption, _ bytes: borrowing PinnedBytes) {
        note(ccurl_setopt_blob(handle, option, bytes.pointer.baseAddress, bytes.pointer.count))
    }
}
