import AssayCore
import Concurrency
import JSON
import KubernetesClient
import KubernetesModel
import Logging
import OpenSSL

/// Keeps what serves pushes: mints it, renews it, and tells what there is. Only who leads writes; the others read what
/// was written, so that they can answer too.
final class PushKeeper: Sendable {
    private let secret: ObjectKey
    private let names: [String]
    private let needsToken: Bool
    private let client: KubernetesClient
    private let time: any TimeSource
    private let isLeader: @Sendable () -> Bool
    private let known = Locked<PushCertificates?>(nil)

    /// - Parameter needsToken: whether who asks must say a word that is in the Secret, too.
    init(
        secret: ObjectKey, names: [String], needsToken: Bool = false, client: KubernetesClient, time: any TimeSource,
        isLeader: @escaping @Sendable () -> Bool
    ) {
        self.secret = secret
        self.names = names
        self.needsToken = needsToken
        self.client = client
        self.time = time
        self.isLeader = isLeader
    }

    /// As it was read or written last.
    var current: PushCertificates? { known.withLock { $0 } }

    /// Reads the Secret, and writes what is due. Nil while there is nothing and this replica may not make it.
    @discardableResult
    func refresh() async throws -> PushCertificates? {
        var attempt = 0
        while true {
            attempt += 1
            do {
                return try await pass()
            } catch let error as KubernetesError {
                // Another has written meanwhile: what it wrote may be all that was to be done.
                guard error.isConflict || error.isAlreadyExists, attempt < 4 else { throw error }
            }
        }
    }

    private func pass() async throws -> PushCertificates? {
        let found: JSONValue?
        do throws(KubernetesError) {
            found = try await client.get(.secrets, secret)
        } catch {
            guard error.isNotFound else { throw error }
            found = nil
        }
        var certificates = found.map(PushSecret.read) ?? PushCertificates()
        let now = Timestamp(sinceEpoch: time.wallNow())
        let steps = certificates.plan(names: names, now: now)
        let lacksToken = needsToken && certificates.token == nil
        if !steps.isEmpty || lacksToken, isLeader() {
            for step in steps { try certificates.carryOut(step, names: names, now: now) }
            if lacksToken { certificates.token = try RandomToken.make() }
            try await write(certificates, over: found)
        }
        guard certificates.authority != nil, certificates.serving != nil else { return nil }
        known.withLock { $0 = certificates }
        return certificates
    }

    private func write(_ certificates: PushCertificates, over found: JSONValue?) async throws(KubernetesError) {
        var object: JSONValue =
            found ?? ["metadata": ["name": .string(secret.name), "namespace": JSONValue(secret.namespace) ?? .null]]
        object["metadata", "labels", Label.managedBy] = .string(Label.manager)
        object["data"] = PushSecret.data(certificates)
        if found == nil {
            _ = try await client.create(.secrets, object, fieldManager: FieldManager.spec)
        } else {
            // With the version that was read.
            _ = try await client.replace(.secrets, object, fieldManager: FieldManager.spec)
        }
    }
}
