import Concurrency
import HTTPTransport

extension ClientConfiguration {
    /// The configuration of a pod, by its service account.
    ///
    /// - Parameter time: when the token and the authority, which kubelet renews, are read again.
    public static func inCluster(time: any TimeSource = SystemTime()) throws(ConfigurationError) -> ClientConfiguration
    {
        try inCluster(time: time, .process)
    }

    /// Where the configuration is looked for: `kubeconfig`, `$KUBECONFIG`, the pod's service account, `~/.kube/config`.
    /// A context belongs to a kubeconfig, so naming one leaves out the service account.
    public static func discover(
        kubeconfig: String? = nil, context: String? = nil, trust: KubeconfigTrust = KubeconfigTrust(),
        time: any TimeSource = SystemTime()
    ) throws(ConfigurationError) -> ClientConfiguration {
        try discover(kubeconfig: kubeconfig, context: context, trust: trust, time: time, .process)
    }

    static func discover(
        kubeconfig: String?, context: String?, trust: KubeconfigTrust = KubeconfigTrust(),
        time: any TimeSource = SystemTime(), _ environment: Environment
    ) throws(ConfigurationError) -> ClientConfiguration {
        let namesFile = kubeconfig != nil || context != nil || environment["KUBECONFIG"] != nil
        if !namesFile, environment["KUBERNETES_SERVICE_HOST"] != nil { return try inCluster(time: time, environment) }
        return try self.kubeconfig(path: kubeconfig, context: context, trust: trust, time: time, environment)
    }

    static func inCluster(
        time: any TimeSource = SystemTime(), _ environment: Environment
    ) throws(ConfigurationError) -> ClientConfiguration {
        guard let host = environment["KUBERNETES_SERVICE_HOST"], let port = environment["KUBERNETES_SERVICE_PORT"]
        else {
            throw ConfigurationError(
                "this is no pod: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not both set")
        }
        let directory = environment.serviceAccountDirectory
        let authority: [UInt8]
        let token: [UInt8]
        do throws(FileReadError) {
            authority = try readFile(directory + "/ca.crt")
            token = try readFile(directory + "/token", limit: 1 << 20)
        } catch {
            throw ConfigurationError("the pod's service account: \(error)")
        }
        guard !String(decoding: token, as: UTF8.self).trimmingASCIISpace.isEmpty else {
            throw ConfigurationError("the pod's service account: \(directory)/token is empty")
        }
        // A projected volume may leave the namespace out.
        var namespace = "default"
        do throws(FileReadError) {
            let text = String(decoding: try readFile(directory + "/namespace", limit: 1 << 16), as: UTF8.self)
            if !text.trimmingASCIISpace.isEmpty { namespace = text.trimmingASCIISpace }
        } catch {
            guard error.isMissing else { throw ConfigurationError("the pod's service account: \(error)") }
        }
        let name = host.contains(":") && !host.hasPrefix("[") ? "[\(host)]" : host
        var transport = TransportConfiguration(server: "https://\(name):\(port)", certificateAuthorityPEM: authority)
        transport.renewal = RotatingCertificates(
            RotatingCertificates.Origins(authority: .file(directory + "/ca.crt")), first: transport.material,
            plugin: nil, time: time)
        return ClientConfiguration(
            transport: transport,
            credentials: .tokenFile(path: directory + "/token"), namespace: namespace)
    }
}
