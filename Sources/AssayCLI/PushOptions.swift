import ArgumentParser
import AssayOperator
import FoundationEssentials
import KubernetesModel

/// Where trainings push to.
struct PushOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Where pushes of trainings are taken over HTTPS: host:port, :port, or none. In a pod :8443 unless given, else "
                + "none.", valueName: "address"))
    var pushAddress: String?

    @Option(
        help: ArgumentHelp(
            "The Service without selector by which pods find it: namespace/name. Its certificates are in a Secret beside "
                + "it. In a pod assay-push in its own namespace unless given.", valueName: "service"))
    var pushService: String?

    @Option(
        help: ArgumentHelp(
            "What pods are told instead of the Service's name: https://host or https://host:port.", valueName: "url"))
    var pushURL: String?

    func validate() throws { _ = try configuration(pod: Self.pod) }

    /// Nil where nothing is taken.
    /// - Parameters:
    ///   - pod: the operator's own; nil where it runs in none.
    ///   - podIP: the address of that pod, to which the Service is to lead.
    func configuration(
        pod: ObjectKey?, podIP: String? = ProcessInfo.processInfo.environment["POD_IP"]
    ) throws -> OperatorConfiguration.Push? {
        guard let text = pushAddress ?? (pod == nil ? nil : ":8443"), text != "none" else {
            if pushService != nil || pushURL != nil {
                throw ValidationError("--push-address: is required with --push-service and --push-url")
            }
            return nil
        }
        guard let address = OperatorConfiguration.Address(text) else {
            throw ValidationError("--push-address: must be host:port, :port or none, not '\(text)'")
        }
        if let pushURL, !OperatorConfiguration.Push.isURL(pushURL) {
            throw ValidationError("--push-url: must be https://host or https://host:port, not '\(pushURL)'")
        }
        let service = try service(pod)
        // Who names a URL does not want to be found by the Service.
        let endpoint = pushURL == nil ? podIP.flatMap { $0.isEmpty ? nil : $0 } : nil
        return .init(address: address, service: service, endpoint: endpoint, url: pushURL)
    }

    private func service(_ pod: ObjectKey?) throws -> ObjectKey {
        guard let pushService else {
            guard let pod else {
                throw ValidationError("--push-service: is required outside of a pod; name one as namespace/name")
            }
            return ObjectKey(namespace: pod.namespace, name: "assay-push")
        }
        let parts = pushService.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2, parts.allSatisfy({ !$0.isEmpty }) else {
            throw ValidationError("--push-service: must be namespace/name, not '\(pushService)'")
        }
        return ObjectKey(namespace: parts[0], name: parts[1])
    }

    /// As the Deployment tells it, by the downward API.
    static var pod: ObjectKey? {
        let environment = ProcessInfo.processInfo.environment
        guard let namespace = environment["POD_NAMESPACE"], let name = environment["POD_NAME"], !namespace.isEmpty,
            !name.isEmpty
        else { return nil }
        return ObjectKey(namespace: namespace, name: name)
    }
}
