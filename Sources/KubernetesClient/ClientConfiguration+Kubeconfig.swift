import HTTPTransport
import JSON

extension ClientConfiguration {
    /// Reads a kubeconfig.
    ///
    /// - Parameters:
    ///   - path: one file; nil means those of `$KUBECONFIG`, separated by colons, or else `~/.kube/config`.
    ///   - context: which context; nil means the current one.
    public static func kubeconfig(
        path: String? = nil, context: String? = nil
    ) throws(ConfigurationError) -> ClientConfiguration {
        try kubeconfig(path: path, context: context, .process)
    }

    static func kubeconfig(
        path: String?, context: String?, _ environment: Environment
    ) throws(ConfigurationError) -> ClientConfiguration {
        let merged = try load(path: path, environment)
        let files = merged.files.joined(separator: ":")
        guard let name = context ?? merged.currentContext else {
            throw ConfigurationError("kubeconfig \(files): there is no current-context, and none was named")
        }
        guard let entry = merged.contexts[name] else {
            let known = merged.contexts.keys.sorted().joined(separator: ", ")
            throw ConfigurationError(
                "kubeconfig \(files): there is no context \"\(name)\""
                    + (known.isEmpty ? "" : "; there are: \(known)"))
        }
        let result: Result<ClientConfiguration, ConfigurationError>
        do throws(JSONShapeError) {
            result = try resolve(entry, in: merged, context: name)
        } catch {
            throw entry.failure(error)
        }
        return try result.get()
    }

    private static func load(path: String?, _ environment: Environment) throws(ConfigurationError) -> Kubeconfig {
        var merged = Kubeconfig()
        var candidates: [String] = []
        // Only files that were named one by one must be there.
        let mustExist = path != nil
        if let path {
            candidates = [path]
        } else if let list = environment["KUBECONFIG"] {
            candidates = list.split(separator: ":").map(String.init)
        } else if let home = environment["HOME"] {
            candidates = [home + "/.kube/config"]
        }
        for file in candidates {
            let bytes: [UInt8]
            do throws(FileReadError) {
                bytes = try readFile(file)
            } catch {
                if error.isMissing, !mustExist { continue }
                throw ConfigurationError("kubeconfig: \(error)")
            }
            try merged.add(file, bytes)
        }
        guard !merged.files.isEmpty else {
            throw ConfigurationError(
                "there is no kubeconfig: looked for "
                    + (candidates.isEmpty ? "$HOME" : candidates.joined(separator: ", ")))
        }
        return merged
    }

    /// The inner result tells errors that name their own file from those of the context's entry.
    private static func resolve(
        _ context: Kubeconfig.Entry, in merged: Kubeconfig, context name: String
    ) throws(JSONShapeError) -> Result<ClientConfiguration, ConfigurationError> {
        let clusterName = try context.cursor["cluster"].string()
        guard let cluster = merged.clusters[clusterName] else {
            throw context.cursor["cluster"].failure(
                "the context \"\(name)\" names the cluster \"\(clusterName)\", which is nowhere")
        }
        let userName = try context.cursor["user"].optionalString() ?? ""
        if !userName.isEmpty, merged.users[userName] == nil {
            throw context.cursor["user"].failure(
                "the context \"\(name)\" names the user \"\(userName)\", which is nowhere")
        }
        let namespace = try context.cursor["namespace"].optionalString() ?? ""
        do throws(ConfigurationError) {
            var transport = try KubeconfigReader(entry: cluster, what: "cluster \"\(clusterName)\"").cluster()
            var credentials = Credentials.none
            if let user = merged.users[userName] {
                let reader = KubeconfigReader(entry: user, what: "user \"\(userName)\"")
                credentials = try reader.credentials()
                (transport.clientCertificatePEM, transport.clientKeyPEM) = try reader.clientCertificate()
            }
            return .success(
                ClientConfiguration(
                    transport: transport, credentials: credentials,
                    namespace: namespace.isEmpty ? "default" : namespace))
        } catch {
            return .failure(error)
        }
    }
}

/// Reads the fields of a cluster or a user.
private struct KubeconfigReader {
    var entry: Kubeconfig.Entry
    /// For errors: `user "admin"`.
    var what: String

    func cluster() throws(ConfigurationError) -> TransportConfiguration {
        guard let server = try string("server") else { throw failure("server", "is required") }
        var result = TransportConfiguration(server: server)
        result.certificateAuthorityPEM = try bytes("certificate-authority")
        result.insecureSkipTLSVerify = try flag("insecure-skip-tls-verify")
        result.tlsServerName = try string("tls-server-name")
        result.proxyURL = try string("proxy-url")
        if result.insecureSkipTLSVerify, result.certificateAuthorityPEM != nil {
            throw failure("insecure-skip-tls-verify", "cannot stand beside a certificate authority")
        }
        return result
    }

    func credentials() throws(ConfigurationError) -> Credentials {
        for (field, name) in [("exec", "an exec plugin"), ("auth-provider", "an auth provider")]
        where entry.cursor[field].exists {
            throw failure(field, "\(name) is not supported; use a token, a tokenFile or a client certificate")
        }
        for field in ["username", "password"] where entry.cursor[field].exists {
            throw failure(field, "API servers have had no basic authentication since Kubernetes 1.19")
        }
        if try string("as") != nil { throw failure("as", "impersonation is not supported") }
        // As client-go: what is read from the file goes before the token beside it.
        if let file = try string("tokenFile") { return .tokenFile(path: resolve(file)) }
        guard let token = try string("token") else { return .none }
        return .token(token)
    }

    func clientCertificate() throws(ConfigurationError) -> ([UInt8]?, [UInt8]?) {
        let certificate = try bytes("client-certificate")
        let key = try bytes("client-key")
        guard (certificate == nil) == (key == nil) else {
            throw failure(certificate == nil ? "client-certificate" : "client-key", "is missing beside its counterpart")
        }
        return (certificate, key)
    }

    /// The content of `field`-data, or else of the file that `field` names.
    private func bytes(_ field: String) throws(ConfigurationError) -> [UInt8]? {
        if let text = try string(field + "-data") {
            guard let bytes = Base64.decode(text) else { throw failure(field + "-data", "is not base64") }
            return bytes
        }
        guard let path = try string(field) else { return nil }
        do throws(FileReadError) {
            return try readFile(resolve(path))
        } catch {
            throw failure(field, "\(error)")
        }
    }

    private func resolve(_ path: String) -> String {
        if path.hasPrefix("/") { return path }
        guard let slash = entry.file.lastIndex(of: "/") else { return path }
        return entry.file[...slash] + path
    }

    /// Nil where the field is absent or empty.
    private func string(_ field: String) throws(ConfigurationError) -> String? {
        do throws(JSONShapeError) {
            guard let value = try entry.cursor[field].optionalString(), !value.isEmpty else { return nil }
            return value
        } catch {
            throw entry.failure(error)
        }
    }

    private func flag(_ field: String) throws(ConfigurationError) -> Bool {
        do throws(JSONShapeError) {
            return try entry.cursor[field].optionalBool() ?? false
        } catch {
            throw entry.failure(error)
        }
    }

    private func failure(_ field: String, _ message: String) -> ConfigurationError {
        ConfigurationError("kubeconfig \(entry.file): \(what): \(field): \(message)")
    }
}
