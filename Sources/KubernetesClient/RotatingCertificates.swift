import Concurrency
import HTTPTransport
import OpenSSL

/// The certificates of a configuration, read again as their files change.
///
/// Files are looked at every ten seconds at most, and at once when a handshake fails or the server answers 401. While
/// they cannot be used together, as in the middle of being rewritten, those read before stay in use, and the next look
/// comes after a second.
final class RotatingCertificates: TLSMaterialSource {
    enum Origin: Sendable, Hashable {
        case bytes([UInt8])
        case file(String)

        var isFile: Bool { if case .file = self { true } else { false } }

        func read() throws(FileReadError) -> [UInt8] {
            switch self {
            case .bytes(let bytes): return bytes
            case .file(let path):
                let bytes = try readFile(path, limit: 4 << 20)
                guard !bytes.isEmpty else { throw FileReadError(path: path, reason: "it is empty") }
                return bytes
            }
        }
    }

    struct Origins: Sendable {
        var authority: Origin?
        var certificate: Origin?
        var key: Origin?

        /// Nothing of it ever changes.
        var areFixed: Bool { ![authority, certificate, key].contains { $0?.isFile ?? false } }

        func read() throws(FileReadError) -> TLSMaterial {
            TLSMaterial(
                certificateAuthorityPEM: try authority.map { origin throws(FileReadError) in try origin.read() },
                clientCertificatePEM: try certificate.map { origin throws(FileReadError) in try origin.read() },
                clientKeyPEM: try key.map { origin throws(FileReadError) in try origin.read() })
        }
    }

    private struct State {
        var files: TLSMaterial
        var filesAreUsable: Bool
        var nextLook: Duration
        /// Why the files as they are now are not used.
        var problem: String?
        var look: UInt64 = 1
        /// The newest that was given out.
        var credential: PluginCredentials.Credential?
    }

    static let interval: Duration = .seconds(10)
    static let intervalWhileUnusable: Duration = .seconds(1)

    private let origins: Origins
    private let plugin: PluginCredentials?
    private let time: any TimeSource
    private let state: Locked<State>

    /// - Parameters:
    ///   - first: what the files held when the configuration was read.
    ///   - plugin: gives the client certificate where no file does.
    init(_ origins: Origins, first: TLSMaterial, plugin: PluginCredentials?, time: any TimeSource) {
        self.origins = origins
        self.plugin = origins.certificate == nil ? plugin : nil
        self.time = time
        state = Locked(
            State(
                files: first, filesAreUsable: Self.problem(of: first) == nil,
                nextLook: time.monotonicNow() + Self.interval))
    }

    func material() async throws(HTTPTransportError) -> TLSMaterialReading {
        let now = time.monotonicNow()
        state.withLock { if now >= $0.nextLook { look(&$0, now) } }
        return reading(try await credential(insteadOf: nil))
    }

    func material(insteadOf refused: TLSMaterialReading) async throws(HTTPTransportError) -> TLSMaterialReading {
        let now = time.monotonicNow()
        let (looked, problem) = state.withLock { state -> (Bool, String?) in
            guard state.look <= refused.look else { return (false, nil) }
            look(&state, now)
            return (true, state.problem)
        }
        let fresh = reading(try await credential(insteadOf: looked ? refused.material.clientCertificatePEM : nil))
        if let problem, fresh.material == refused.material {
            throw HTTPTransportError(.tls, detail: "its renewed certificates cannot be used: \(problem)")
        }
        return fresh
    }

    private func look(_ state: inout State, _ now: Duration) {
        state.look += 1
        do throws(FileReadError) {
            let new = try origins.read()
            // Compared first, so that what stays the same keeps its address, and compares at once afterwards.
            if new == state.files {
                state.problem = nil
            } else {
                state.problem = Self.problem(of: new)
                if state.problem == nil || !state.filesAreUsable {
                    state.files = new
                    state.filesAreUsable = state.problem == nil
                }
            }
        } catch {
            state.problem = "\(error)"
        }
        state.nextLook = now + (state.problem == nil ? Self.interval : Self.intervalWhileUnusable)
    }

    private static func problem(of material: TLSMaterial) -> String? {
        do throws(TLSError) {
            try checkTLSMaterial(
                authorityPEM: material.certificateAuthorityPEM, certificatePEM: material.clientCertificatePEM,
                privateKeyPEM: material.clientKeyPEM)
            return nil
        } catch {
            return "\(error)"
        }
    }

    /// The program's credential; another one where its certificate is the refused one.
    private func credential(
        insteadOf refused: [UInt8]?
    ) async throws(HTTPTransportError) -> PluginCredentials.Credential? {
        guard let plugin else { return nil }
        do throws(CredentialError) {
            let credential = try await plugin.credential()
            guard let refused, credential.answer.certificatePEM == refused else { return credential }
            return try await plugin.credential(insteadOf: credential)
        } catch {
            throw HTTPTransportError(error.isCancelled ? .cancelled : .connect, detail: error.message)
        }
    }

    private func reading(_ credential: PluginCredentials.Credential?) -> TLSMaterialReading {
        state.withLock { state in
            // A task that was held up may come with an older one.
            if let credential, credential.run > state.credential?.run ?? 0 {
                state.credential = credential
                state.look += 1
            }
            var material = state.files
            if let answer = state.credential?.answer {
                material.clientCertificatePEM = answer.certificatePEM
                material.clientKeyPEM = answer.keyPEM
            }
            return TLSMaterialReading(material, look: state.look)
        }
    }
}
