#if canImport(Glibc)
import Glibc
#else
import Musl
#endif

/// The environment that configuration is read from: the process's, or a test's.
struct Environment {
    var variable: (String) -> String?
    /// Where kubelet mounts a pod's token, CA and namespace.
    var serviceAccountDirectory = "/var/run/secrets/kubernetes.io/serviceaccount"

    /// Empty variables count as absent, as client-go has it.
    subscript(name: String) -> String? {
        guard let value = variable(name), !value.isEmpty else { return nil }
        return value
    }

    static var process: Environment {
        Environment(variable: { name in getenv(name).map { String(cString: $0) } })
    }
}
