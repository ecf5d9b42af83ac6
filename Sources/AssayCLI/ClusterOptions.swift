import ArgumentParser
import CredentialPlugins
import KubernetesClient

/// Which cluster a command works on.
struct ClusterOptions: ParsableArguments {
    @Option(help: "A kubeconfig file.")
    var kubeconfig: String?

    @Option(help: "The context of the kubeconfig to use instead of its current one.")
    var context: String?

    /// The cluster and who we are there; throws what is wrong with the kubeconfig.
    func discover() throws -> ClientConfiguration {
        try ClientConfiguration.discover(
            kubeconfig: kubeconfig, context: context, trust: KubeconfigTrust(plugins: SubprocessPluginRunner()))
    }
}
