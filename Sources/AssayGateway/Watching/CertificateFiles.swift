import Files
import OpenSSL

/// The certificate and the key of a mounted Secret of the type `kubernetes.io/tls`.
struct CertificateFiles: Sendable, Hashable {
    /// With those that lead to its root, as PEM.
    var certificate: [UInt8]
    /// As PEM.
    var key: [UInt8]

    /// Reads `tls.crt` and `tls.key`; throws while they are not both there.
    init(in directory: String) throws(FileError) {
        certificate = try FileSystem.contents("\(directory)/tls.crt")
        // The kubelet replaces both at once, perhaps between the one and the other.
        for _ in 0..<3 {
            key = try FileSystem.contents("\(directory)/tls.key")
            let again = try FileSystem.contents("\(directory)/tls.crt")
            if again == certificate { return }
            certificate = again
        }
        key = try FileSystem.contents("\(directory)/tls.key")
    }

    /// Throws where they cannot be used, or do not belong together.
    func context() throws(TLSError) -> TLSContext {
        try TLSContext(serverCertificateChainPEM: certificate, privateKeyPEM: key)
    }
}
