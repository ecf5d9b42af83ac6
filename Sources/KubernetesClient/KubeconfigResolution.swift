import Concurrency
import HTTPTransport
import JSON

/// From a context of merged kubeconfigs to a configuration.
struct KubeconfigResolution {
    var merged: Kubeconfig
    var context: String
    var trust: KubeconfigTrust
    var time: any TimeSource

    func configuration(_ entry: Kubeconfig.Entry) throws(ConfigurationError) -> ClientConfiguration {
        let reader = KubeconfigReader(entry: entry, what: "context \"\(context)\"")
        guard let clusterName = try reader.string("cluster") else { throw reader.failure("cluster", "is required") }
        guard let cluster = merged.clusters[clusterName] else {
            throw reader.failure("cluster", "it names \"\(clusterName)\", which is nowhere")
        }
        let clusterReader = KubeconfigReader(entry: cluster, what: "cluster \"\(clusterName)\"")
        var transport = try clusterReader.transport()
        var origins = RotatingCertificates.Origins()
        origins.authority = try clusterReader.origin("certificate-authority")
        transport.certificateAuthorityPEM = try clusterReader.read(origins.authority, "certificate-authority")
        if transport.insecureSkipTLSVerify, origins.authority != nil {
            throw clusterReader.failure("insecure-skip-tls-verify", "cannot stand beside a certificate authority")
        }
        var credentials = Credentials.none
        if let userName = try reader.string("user") {
            guard let user = merged.users[userName] else {
                throw reader.failure("user", "it names \"\(userName)\", which is nowhere")
            }
            let userReader = KubeconfigReader(entry: user, what: "user \"\(userName)\"")
            (origins.certificate, origins.key) = try userReader.clientCertificate()
            transport.clientCertificatePEM = try userReader.read(origins.certificate, "client-certificate")
            transport.clientKeyPEM = try userReader.read(origins.key, "client-key")
            credentials = try self.credentials(userReader) { () throws(ConfigurationError) in
                try clusterReader.clusterInfo(transport)
            }
        }
        var plugin: PluginCredentials?
        if case .plugin(let credentials) = credentials.parts.credentials { plugin = credentials }
        if !origins.areFixed || plugin != nil {
            transport.renewal = RotatingCertificates(origins, first: transport.material, plugin: plugin, time: time)
        }
        return ClientConfiguration(
            transport: transport, credentials: credentials, namespace: try reader.string("namespace") ?? "default")
    }

    private func credentials(
        _ user: KubeconfigReader, _ cluster: () throws(ConfigurationError) -> JSONValue
    ) throws(ConfigurationError) -> Credentials {
        var credentials = try user.staticCredentials()
        if let plugin = try user.execPlugin(cluster) {
            guard credentials == .none else {
                throw user.failure("exec", "stands beside a token or password, and only one can count")
            }
            guard let runner = trust.plugins else {
                throw user.failure(
                    "exec",
                    "programs of this kubeconfig are not run here; use a token, a tokenFile or a client certificate")
            }
            credentials = .plugin(PluginCredentials(plugin, runner: runner, time: time))
        }
        guard let impersonation = try user.impersonation() else { return credentials }
        guard trust.allowsImpersonation else {
            throw user.failure("as", "impersonation is refused: act as the user itself, or ask for it in so many words")
        }
        return .impersonating(impersonation, by: credentials)
    }
}
