import JSON

#if canImport(Glibc)
import Glibc
#else
import Musl
#endif

/// A kubeconfig with one cluster, one user and one context, everything embedded.
public struct KubeconfigFile: Sendable {
    public enum Credentials: Sendable {
        case token(String)
        case certificate(certificatePEM: String, keyPEM: String)
    }

    public var cluster: String
    public var server: String
    public var authorityPEM: String
    public var user: String
    public var credentials: Credentials
    public var namespace = "default"

    public init(
        cluster: String, server: String, authorityPEM: String, user: String, credentials: Credentials,
        namespace: String = "default"
    ) {
        (self.cluster, self.server, self.authorityPEM) = (cluster, server, authorityPEM)
        (self.user, self.credentials, self.namespace) = (user, credentials, namespace)
    }

    public var text: String {
        let user =
            switch credentials {
            case .token(let token): "    token: \(token)\n"
            case .certificate(let certificate, let key):
                "    client-certificate-data: \(Base64.encode(certificate.utf8))\n    client-key-data: \(Base64.encode(key.utf8))\n"
            }
        return """
            apiVersion: v1
            kind: Config
            current-context: \(cluster)
            clusters:
            - name: \(cluster)
              cluster:
                server: \(server)
                certificate-authority-data: \(Base64.encode(authorityPEM.utf8))
            users:
            - name: \(self.user)
              user:
            \(user)contexts:
            - name: \(cluster)
              context:
                cluster: \(cluster)
                user: \(self.user)
                namespace: \(namespace)
            preferences: {}

            """
    }

    /// Writes the file for its owner only, so that a reader sees either the old one or the whole new one.
    public func write(to path: String) throws(ClusterStartError) {
        let temporary = "\(path).\(getpid()).tmp"
        unlink(temporary)
        let file = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw ClusterStartError("create \(temporary)", errno) }
        let failure = Self.writeAll(Array(text.utf8), to: file)
        close(file)
        if let failure {
            unlink(temporary)
            throw ClusterStartError("write \(temporary)", failure)
        }
        guard rename(temporary, path) == 0 else { throw ClusterStartError("rename \(temporary) to \(path)", errno) }
    }

    /// Nil, or the error's number.
    private static func writeAll(_ bytes: [UInt8], to file: Int32) -> Int32? {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            if count < 0 && errno == EINTR { continue }
            if count <= 0 { return errno }
            rest = rest.dropFirst(count)
        }
        return nil
    }
}

/// Why a local cluster cannot start.
public struct ClusterStartError: Error, Sendable, Hashable, CustomStringConvertible {
    public var message: String

    public init(_ message: String) { self.message = message }

    /// - Parameter number: of the system's error.
    init(_ attempt: String, _ number: Int32) {
        message = "cannot \(attempt): \(strerror(number).map { String(cString: $0) } ?? "error \(number)")"
    }

    public var description: String { message }
}
