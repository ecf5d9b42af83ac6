import HTTPTransport
import JSON

/// Reads the fields of a context, a cluster or a user. Fields that it does not know are passed over, as kubectl does.
struct KubeconfigReader {
    var entry: Kubeconfig.Entry
    /// For errors: `user "admin"`.
    var what: String

    // MARK: Clusters

    /// What a cluster says beside its authority.
    func transport() throws(ConfigurationError) -> TransportConfiguration {
        guard let server = try string("server") else { throw failure("server", "is required") }
        var result = TransportConfiguration(server: server)
        result.insecureSkipTLSVerify = try flag("insecure-skip-tls-verify")
        result.tlsServerName = try string("tls-server-name")
        result.proxyURL = try string("proxy-url")
        if let proxy = result.proxyURL, !["http://", "https://", "socks5://"].contains(where: proxy.hasPrefix) {
            // Not the URL itself, which may hold a password.
            throw failure("proxy-url", "must begin with http://, https:// or socks5://")
        }
        return result
    }

    /// The cluster as a credential plugin is told of it.
    func clusterInfo(_ transport: TransportConfiguration) throws(ConfigurationError) -> JSONValue {
        var info: JSONValue = ["server": .string(transport.server)]
        if let name = transport.tlsServerName { info["tls-server-name"] = .string(name) }
        if transport.insecureSkipTLSVerify { info["insecure-skip-tls-verify"] = true }
        if let authority = transport.certificateAuthorityPEM {
            info["certificate-authority-data"] = .string(Base64.encode(authority))
        }
        if let proxy = transport.proxyURL { info["proxy-url"] = .string(proxy) }
        return try shape { () throws(JSONShapeError) in
            for element in try entry.cursor["extensions"].elements()
            where try element["name"].optionalString() == "client.authentication.k8s.io/exec" {
                info["config"] = element["extension"].value
            }
            return info
        }
    }

    // MARK: Fields

    /// Where the bytes of a certificate or key come from: `field`-data before the file that `field` names.
    func origin(_ field: String) throws(ConfigurationError) -> RotatingCertificates.Origin? {
        if let text = try string(field + "-data") {
            guard let bytes = Base64.decode(text) else { throw failure(field + "-data", "is not base64") }
            return .bytes(bytes)
        }
        return try string(field).map { .file(resolve($0)) }
    }

    func read(
        _ origin: RotatingCertificates.Origin?, _ field: String
    ) throws(ConfigurationError) -> [UInt8]? {
        do throws(FileReadError) {
            return try origin?.read()
        } catch {
            throw failure(field, "\(error)")
        }
    }

    /// A path as it is meant in a file: from the file's own directory.
    func resolve(_ path: String) -> String {
        if path.hasPrefix("/") { return path }
        guard let slash = entry.file.lastIndex(of: "/") else { return path }
        return entry.file[...slash] + path
    }

    /// Nil where the field is absent or empty.
    func string(_ field: String) throws(ConfigurationError) -> String? {
        try shape { () throws(JSONShapeError) in
            guard let value = try entry.cursor[field].optionalString(), !value.isEmpty else { return nil }
            return value
        }
    }

    func flag(_ field: String) throws(ConfigurationError) -> Bool {
        try shape { () throws(JSONShapeError) in try entry.cursor[field].optionalBool() ?? false }
    }

    func shape<Value>(_ read: () throws(JSONShapeError) -> Value) throws(ConfigurationError) -> Value {
        do throws(JSONShapeError) {
            return try read()
        } catch {
            throw ConfigurationError("kubeconfig \(entry.file): \(what): \(error)")
        }
    }

    func failure(_ field: String, _ message: String) -> ConfigurationError {
        ConfigurationError("kubeconfig \(entry.file): \(what): \(field): \(message)")
    }
}
