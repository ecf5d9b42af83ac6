import AssayCore
import Concurrency
import ControllerRuntime
import JSON
import KubernetesClient
import KubernetesModel
import Logging

/// Publishes whom pods are to trust: a ConfigMap in each namespace that has a training.
///
/// Nothing waits for it. A training goes on without it, and what was wrong is told and tried again.
final class PushAuthorities: Sendable {
    /// For how long what was found right is taken to be so still.
    private static let lifetime: Duration = .seconds(300)

    private struct Written {
        var bundle: String
        var at: Duration
    }

    private let keeper: PushKeeper
    private let client: KubernetesClient
    private let events: EventRecorder
    private let time: any TimeSource
    private let complaints: PushComplaints
    private let written = Locked<[String: Written]>([:])

    init(
        keeper: PushKeeper, client: KubernetesClient, events: EventRecorder, time: any TimeSource,
        complaints: PushComplaints
    ) {
        self.keeper = keeper
        self.client = client
        self.events = events
        self.time = time
        self.complaints = complaints
    }

    /// Sees to the ConfigMap of a training's namespace, before its pods look for it.
    func publish(for training: ObjectMeta) async {
        guard let namespace = training.namespace else { return }
        if await publish(in: namespace) == .foreign {
            events.record(
                EventNote(
                    regarding: ObjectReference(.trainingJobs, training), type: .warning, reason: "AuthoritiesNotOurs",
                    note: "the ConfigMap \(PushChannel.authorities) is not the operator's (it has no label "
                        + "\(Label.managedBy): \(Label.manager)) and is left alone; without it containers cannot tell "
                        + "whom to trust at \(PushChannel.urlVariable). Delete or rename it"))
        }
    }

    /// Sees to those of all namespaces, and forgets the others.
    func publish(in namespaces: Set<String>) async {
        written.withLock { written in written = written.filter { namespaces.contains($0.key) } }
        for namespace in namespaces.sorted() { await publish(in: namespace) }
    }

    @discardableResult
    private func publish(in namespace: String) async -> AuthoritiesPlan {
        do {
            guard let bundle = try await bundle() else { return .leave }
            let now = time.monotonicNow()
            let last = written.withLock { $0[namespace] }
            if let last, last.bundle == bundle, now - last.at < Self.lifetime { return .leave }
            let plan = try await write(bundle, in: namespace)
            if plan != .foreign { written.withLock { $0[namespace] = Written(bundle: bundle, at: now) } }
            complaints.settle(namespace)
            return plan
        } catch {
            complaints.tell(
                namespace, "the authorities to push by cannot be published", "\(error)", ["namespace": "\(namespace)"])
            return .leave
        }
    }

    private func bundle() async throws -> String? {
        if let known = keeper.current { return known.bundle }
        return try await keeper.refresh()?.bundle
    }

    private func write(_ bundle: String, in namespace: String) async throws(KubernetesError) -> AuthoritiesPlan {
        let key = ObjectKey(namespace: namespace, name: PushChannel.authorities)
        let found: JSONValue?
        do throws(KubernetesError) {
            found = try await client.get(.configMaps, key)
        } catch {
            guard error.isNotFound else { throw error }
            found = nil
        }
        let plan = AuthoritiesPlan(found, namespace: namespace, bundle: bundle)
        switch plan {
        case .create(let object):
            _ = try await client.create(.configMaps, object, fieldManager: FieldManager.spec)
        case .patch(let patch):
            _ = try await client.mergePatch(.configMaps, key, patch, fieldManager: FieldManager.spec)
        case .leave, .foreign: break
        }
        return plan
    }
}

/// Tells each trouble once, until it is over.
final class PushComplaints: Sendable {
    private let logger: Logger
    private let told = Locked<[String: String]>([:])

    init(logger: Logger) { self.logger = logger }

    func tell(_ topic: String, _ message: Logger.Message, _ error: String, _ metadata: Logger.Metadata = [:]) {
        let isNews = told.withLock { told in
            // What nobody settles, such as a namespace that went away, is not remembered for ever.
            if told.count > 1000 { told = [:] }
            defer { told[topic] = error }
            return told[topic] != error
        }
        logger.log(
            level: isNews ? .warning : .debug, message, metadata: metadata.merging(["error": "\(error)"]) { $1 })
    }

    func settle(_ topic: String) { _ = told.withLock { $0.removeValue(forKey: topic) } }
}
