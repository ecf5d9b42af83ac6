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
                "    client-certificate-data: \(Self.base64(certificate))\n    client-key-data: \(Self.base64(key))\n"
            }
        return """
            apiVersion: v1
            kind: Config
            current-context: \(cluster)
            clusters:
            - name: \(cluster)
              cluster:
                server: \(server)
                certificate-authority-data: \(Self.base64(authorityPEM))
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

    private static func base64(_ text: String) -> String { base64(Array(text.utf8)) }

    static func base64(_ bytes: [UInt8]) -> String {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")
        var result = ""
        var index = 0
        while index < bytes.count {
            let group = bytes[index..<min(index + 3, bytes.count)]
            var bits = 0
            for byte in group { bits = bits << 8 | Int(byte) }
            bits <<= 8 * (3 - group.count)
            for digit in 0..<4 {
                result.append(digit <= group.count ? alphabet[bits >> (18 - 6 * digit) & 63] : "=")
            }
            index += 3
        }
        return result
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
