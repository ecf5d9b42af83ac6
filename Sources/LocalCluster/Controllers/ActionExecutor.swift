import Concurrency
import ControllerRuntime
import JSON
import KubernetesClient
import KubernetesModel

/// A child that could not be created, which its owner is told about.
struct CreateFailure: Error, CustomStringConvertible {
    var owner: JSONValue
    var cause: KubernetesError

    /// What the server said, as users know it from events and conditions.
    var message: String { cause.status?.message ?? cause.description }
    var description: String { cause.description }
}

/// Carries out plans through the API, in order, up to the first failure.
struct ActionExecutor: Sendable {
    let client: KubernetesClient
    let cache: ClusterCache
    let expectations: Expectations
    let recorder: EventRecorder
    let fieldManager: String

    func execute(_ plan: ControllerPlan, for owner: ObjectKey) async throws {
        var patched: [ObjectKey: JSONValue] = [:]
        for action in plan.actions { try await execute(action, for: owner, &patched) }
    }

    /// - Parameter patched: what earlier actions of the plan made of the objects. A status goes with that metadata:
    ///   with the one observed it would take the patch back.
    private func execute(
        _ action: ControllerAction, for owner: ObjectKey, _ patched: inout [ObjectKey: JSONValue]
    ) async throws {
        switch action {
        case .event(let event): recorder.record(event.note)
        case .create(let type, let object, let parent): try await create(type, object, parent, owner)
        case .delete(let type, let key, let uid, let how): try await delete(type, key, uid, how, owner)
        case .patch(let type, let key, let patch):
            let answer = try await client.mergePatch(type, key, patch, fieldManager: fieldManager)
            patched[key] = answer
            note(type, answer, owner)
        case .replaceStatus(let type, var object):
            if var current = patched[object.key] {
                current["status"] = object["status"]
                object = current
            }
            note(type, try await client.replace(type, object, subresource: "status", fieldManager: fieldManager), owner)
        case .replace(let type, let object):
            note(type, try await client.replace(type, object, fieldManager: fieldManager), owner)
        }
    }

    private func create(
        _ type: ResourceType, _ object: JSONValue, _ parent: JSONValue, _ owner: ObjectKey
    ) async throws {
        do throws(KubernetesError) {
            let answer = try await client.create(type, object, fieldManager: fieldManager)
            note(type, answer, owner)
            guard type == .pods else { return }
            recorder.record(
                ClusterEvent(parent, reason: "SuccessfulCreate", message: "Created pod: \(answer.name)").note)
        } catch {
            // Of a fixed name: made by an earlier look whose result the cache does not show yet.
            if error.isAlreadyExists { return }
            if error.outcomeIsUnknown { try await waitForWhatThereIs(type, parent.namespace, owner) }
            let failure = CreateFailure(owner: parent, cause: error)
            // Where the outcome is unknown, or the namespace goes away, there is nothing to tell.
            if type == .pods && error.status != nil && !isGoingAway(error) {
                recorder.record(
                    ClusterEvent(
                        parent, warning: true, reason: "FailedCreate", message: "Error creating: \(failure.message)"
                    ).note)
            }
            throw failure
        }
    }

    /// The object may have been created under a name that nobody knows: no plan is made before the cache has come as
    /// far as what the server holds now.
    private func waitForWhatThereIs(
        _ type: ResourceType, _ namespace: String?, _ owner: ObjectKey
    ) async throws(KubernetesError) {
        let live = try await client.listAll(type, namespace: namespace).items
        guard let latest = live.max(by: { Self.revision($0) < Self.revision($1) }) else { return }
        cache.noteWritten(type, latest)
        expectations.expect(owner, type, latest.key)
    }

    private static func revision(_ object: JSONValue) -> UInt64 { UInt64(object.resourceVersion) ?? 0 }

    private func isGoingAway(_ error: KubernetesError) -> Bool {
        error.isNotFound || error.status?.causes.contains { $0.reason == "NamespaceTerminating" } == true
    }

    private func delete(
        _ type: ResourceType, _ key: ObjectKey, _ uid: String, _ how: ControllerAction.Deletion, _ owner: ObjectKey
    ) async throws {
        do throws(KubernetesError) {
            let options = DeleteOptions(
                uid: uid, propagation: .background, gracePeriodSeconds: how == .immediate ? 0 : nil)
            note(type, try await client.delete(type, key, options), owner)
        } catch {
            // Gone, or another one of its name is there.
            if error.isNotFound || error.isConflict { return }
            throw error
        }
    }

    private func note(_ type: ResourceType, _ answer: JSONValue, _ owner: ObjectKey) {
        guard answer["kind"]?.string == type.kind else { return }
        cache.noteWritten(type, answer)
        expectations.expect(owner, type, answer.key)
    }
}

extension ClusterEvent {
    var note: EventNote {
        EventNote(
            regarding: ObjectReference(
                apiVersion: regarding["apiVersion"]?.string ?? "", kind: regarding["kind"]?.string ?? "",
                namespace: regarding.namespace, name: regarding.name, uid: regarding.uid,
                resourceVersion: regarding.resourceVersion),
            type: isWarning ? .warning : .normal, reason: reason, note: message)
    }
}
