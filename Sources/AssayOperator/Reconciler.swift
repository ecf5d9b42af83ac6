import AssayCore
import Concurrency
import ControllerRuntime
import JSON
import KubernetesClient
import KubernetesModel
import Logging

/// What a kind adds to the reconciling that all kinds share.
protocol Reconciled: Sendable {
    associatedtype Observation: Sendable

    static var type: ResourceType { get }

    /// Reads the world around an object, from caches or live; nil when the object is gone.
    func observe(_ key: ObjectKey, live: Bool) async throws(KubernetesError) -> Observation?
    /// What the caches alone know of it: enough to tell a status, where the server refuses to be read.
    func cached(_ key: ObjectKey) -> Observation?
    func plan(_ observation: Observation, now: Timestamp) -> Plan
    /// The status to write when an action of the plan was refused.
    func plan(_ observation: Observation, after failure: ActionFailure, now: Timestamp) -> Plan
    func metadata(_ observation: Observation) -> ObjectMeta
}

/// Observe, plan, execute: for one kind.
struct Reconciler<Kind: Reconciled>: Sendable {
    /// How long a write of ours may take to show in the caches before the server is asked instead.
    private let patience: Duration = .seconds(5)
    /// How long a right is waited for that the server says is missing.
    private let forbiddenPause: Duration = .seconds(30)

    let kind: Kind
    let client: KubernetesClient
    let caches: Caches
    let pending = PendingWrites()
    let pace = StatusPace()
    let events: EventRecorder
    let time: any TimeSource
    let logger: Logger

    func reconcile(_ key: ObjectKey) async -> ReconcileOutcome {
        var live = false
        if let since = pending.waitingSince(key) {
            let waited = time.monotonicNow() - since
            // The event that shows the write puts the key back; this is for the case that it never comes.
            guard waited >= patience else { return .requeue(after: patience - waited) }
            live = true
        }
        do throws(KubernetesError) {
            return try await pass(key, live: live)
        } catch {
            guard error.isForbidden else { return .retry(error, after: error.retryAfter) }
            return await tellForbidden(error, key)
        }
    }

    private func pass(_ key: ObjectKey, live: Bool) async throws(KubernetesError) -> ReconcileOutcome {
        // Before the look, which may take long: no deadline is over by what was seen before it was.
        var now = Timestamp(sinceEpoch: time.wallNow())
        guard var observation = try await observe(key, live: live) else {
            pending.forget(key)
            return .done
        }
        LogScope.note("generation", "\(kind.metadata(observation).generation)")
        if live { pending.forget(key) }
        var plan = kind.plan(observation, now: now)
        if plan.needsLiveObservation, !live {
            now = Timestamp(sinceEpoch: time.wallNow())
            guard let current = try await observe(key, live: true) else { return .done }
            observation = current
            plan = kind.plan(observation, now: now)
        }
        return try await execute(plan, on: observation, key, mayLookAgain: !live)
    }

    /// Live, what belongs to the object is read after it, and all of it is one picture only where the object did not change
    /// meanwhile: to an old status its own children are strangers.
    private func observe(_ key: ObjectKey, live: Bool) async throws(KubernetesError) -> Kind.Observation? {
        guard live else { return try await kind.observe(key, live: false) }
        for _ in 0..<3 {
            guard let observation = try await kind.observe(key, live: true) else { return nil }
            let version = try await client.object(Kind.type, key) { json throws(JSONShapeError) in
                try ObjectMeta(json: JSONCursor(json)["metadata"]).resourceVersion
            }
            if version == kind.metadata(observation).resourceVersion { return observation }
        }
        let status = KubernetesStatus(
            code: 409, reason: "Conflict", message: "it changed three times while what belongs to it was read")
        throw KubernetesError(.status(status), operation: "get \(Kind.type) \(key)")
    }

    private func execute(
        _ plan: Plan, on observation: Kind.Observation, _ key: ObjectKey, mayLookAgain: Bool
    ) async throws(KubernetesError) -> ReconcileOutcome {
        let metadata = kind.metadata(observation)
        for action in plan.actions {
            do throws(KubernetesError) {
                try await perform(action, for: key)
            } catch {
                if isStale(error, action) {
                    // The world is not as it was observed: the server knows how it is.
                    guard mayLookAgain else { return .retry(error, after: nil) }
                    return try await pass(key, live: true)
                }
                return try await report(error, after: action, observation, metadata)
            }
        }
        var plan = plan
        if let status = plan.status, let wait = pace.wait(status, key, now: time.monotonicNow()) {
            plan.status = nil
            plan.requeueAfter = min(plan.requeueAfter ?? wait, wait)
        }
        do throws(KubernetesError) {
            try await write(plan, metadata)
        } catch {
            // Deleted, changed or replaced meanwhile: the server knows which.
            guard mayLookAgain, error.isConflict || error.isNotFound || error.isOfAnotherUID else { throw error }
            return try await pass(key, live: true)
        }
        return plan.requeueAfter.map { .requeue(after: $0) } ?? .done
    }

    /// Whether the refusal only says that the observation was old. A taken name is one of these the first time; seen
    /// live, the plan itself says what to do about it.
    private func isStale(_ error: KubernetesError, _ action: Action) -> Bool {
        if error.isAlreadyExists || error.isConflict || error.isOfAnotherUID { return true }
        if case .create = action { return false }
        return error.isNotFound
    }

    // MARK: Writing

    private func perform(_ action: Action, for key: ObjectKey) async throws(KubernetesError) {
        logger.info(
            "writing", metadata: ["verb": "\(action.verb)", "object": "\(action.type) \(action.key)"])
        switch action {
        case .create(let type, let object, let manager):
            note(type, try await client.create(type, object, fieldManager: manager), for: key)
        case .apply(let type, let child, let object, let manager):
            note(type, try await client.apply(type, child, object, fieldManager: manager), for: key)
        case .mergePatch(let type, let child, let patch, let subresource, let manager):
            let result = try await client.mergePatch(
                type, child, patch, subresource: subresource, fieldManager: manager)
            if subresource != "scale" { note(type, result, for: key) }
        case .delete(let type, let child, let uid, let propagation):
            let options = DeleteOptions(uid: uid, propagation: .init(rawValue: propagation.rawValue))
            do throws(KubernetesError) {
                try await client.delete(type, child, options)
            } catch {
                if !error.isNotFound { throw error }
            }
        }
    }

    private func note(_ type: ResourceType, _ object: JSONValue, for key: ObjectKey) {
        guard let check = caches.noteWritten(type, object), !check() else { return }
        pending.add(key, now: time.monotonicNow(), check)
    }

    private func write(_ plan: Plan, _ metadata: ObjectMeta) async throws(KubernetesError) {
        if let write = plan.status {
            let object = try await client.mergePatch(
                Kind.type, metadata.key, write.patch, subresource: "status", fieldManager: FieldManager.status)
            pace.note(metadata.key, now: time.monotonicNow())
            note(Kind.type, object, for: metadata.key)
        }
        for event in plan.events {
            events.record(
                EventNote(
                    regarding: event.isAboutNamespace ? .namespace(of: metadata) : ObjectReference(Kind.type, metadata),
                    type: event.severity == .warning ? .warning : .normal, reason: event.reason, action: event.action,
                    note: event.note))
        }
    }

    /// Writes what failed into the status, once, and tries again by the rule for such failures.
    private func report(
        _ error: KubernetesError, after action: Action, _ observation: Kind.Observation, _ metadata: ObjectMeta
    ) async throws(KubernetesError) -> ReconcileOutcome {
        if error.isCancelled || error.isWithheld { return .retry(error, after: nil) }
        let operation = "\(action.verb) \(action.type) \(action.key)"
        let plan = kind.plan(
            observation, after: ActionFailure(error, of: operation), now: Timestamp(sinceEpoch: time.wallNow()))
        try await write(plan, metadata)
        if error.isInvalid {
            return .refused(error)
        }
        return .retry(error, after: error.retryAfter ?? (error.isForbidden ? forbiddenPause : nil))
    }

    /// Says which right is missing, for a read or a status: in the status, or where that is what may not be written, in
    /// an event. Events of the same words are one.
    private func tellForbidden(_ error: KubernetesError, _ key: ObjectKey) async -> ReconcileOutcome {
        let outcome = ReconcileOutcome.retry(error, after: error.retryAfter ?? forbiddenPause)
        guard let observation = kind.cached(key) else { return outcome }
        let failure = ActionFailure(error, of: error.operation)
        let plan = kind.plan(observation, after: failure, now: Timestamp(sinceEpoch: time.wallNow()))
        let metadata = kind.metadata(observation)
        do throws(KubernetesError) {
            try await write(plan, metadata)
            return outcome
        } catch {
            // Another failure than the first, such as an old observation, is no matter of rights.
            guard error.isForbidden else { return .retry(error, after: error.retryAfter) }
            events.record(
                EventNote(
                    regarding: ObjectReference(Kind.type, metadata), type: .warning, reason: "Forbidden",
                    note: error.description))
            return .retry(error, after: error.retryAfter ?? forbiddenPause)
        }
    }
}

extension ObjectReference {
    fileprivate static func namespace(of metadata: ObjectMeta) -> ObjectReference {
        ObjectReference(.namespaces, ObjectMeta(name: metadata.namespace ?? ""))
    }
}

extension KubernetesError {
    /// A patch that names a uid met another object of the same name: uids are immutable, so the server calls it invalid.
    fileprivate var isOfAnotherUID: Bool {
        isInvalid && status?.causes.contains { $0.field == "metadata.uid" } == true
    }
}

extension ActionFailure {
    fileprivate init(_ error: KubernetesError, of operation: String) {
        self.init(
            operation: operation, code: error.status?.code, message: error.status?.message ?? error.description)
    }
}
