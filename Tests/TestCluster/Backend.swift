import FoundationEssentials
import Glibc
import Testing

/// A kind of API server that stories are told on.
public enum Backend: Sendable, Hashable, CustomTestStringConvertible {
    /// The one of this repository, in the test's own process: a new one for each story.
    case local
    /// Kubernetes' own, one for all stories.
    case kubernetes(KubernetesSource)

    /// Where a real API server comes from.
    public enum KubernetesSource: Sendable, Hashable {
        case programs(ControlPlanePrograms)
        /// One that runs already; the kubeconfig's path, nil for the usual places.
        case existing(kubeconfig: String?)
        /// None can be had, and CI must not go without: each story on it fails, for this reason.
        case missing(String)
    }

    /// What every story is told on: both kinds, where a real API server can be had.
    ///
    /// `ASSAY_BACKENDS=local` (or `kubernetes`) leaves the other one out.
    public static let all: [Backend] = {
        let environment = ProcessInfo.processInfo.environment
        let wanted = environment["ASSAY_BACKENDS"]?.split(separator: ",").map(String.init)
        return [Backend.local, kubernetes(environment)].compactMap(\.self).filter {
            wanted?.contains($0.testDescription) ?? true
        }
    }()

    private static func kubernetes(_ environment: [String: String]) -> Backend? {
        if environment["USE_EXISTING_CLUSTER"] == "true" {
            return .kubernetes(.existing(kubeconfig: environment["KUBECONFIG"]))
        }
        do throws(TestClusterError) {
            let programs = try ControlPlanePrograms.find(environment)
            guard geteuid() == 0 else {
                throw TestClusterError("pods need addresses of their own, and only root may make networks")
            }
            return .kubernetes(.programs(programs))
        } catch {
            if environment["CI"] == "true" { return .kubernetes(.missing(error.description)) }
            print("*** NOTHING IS TESTED ON A REAL KUBERNETES API SERVER: \(error) ***")
            return nil
        }
    }

    public var testDescription: String {
        switch self {
        case .local: "local"
        case .kubernetes: "kubernetes"
        }
    }
}
