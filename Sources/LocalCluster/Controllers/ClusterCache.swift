import Concurrency
import ControllerRuntime
import JSON
import KubernetesClient
import KubernetesModel
import Logging

/// What the controllers and the scheduler observe: whole objects of the kinds they work on.
final class ClusterCache: Sendable {
    let stores: [ResourceType: Store<DynamicObject>]

    init(_ types: [ResourceType]) {
        stores = Dictionary(uniqueKeysWithValues: Set(types).map { ($0, Store<DynamicObject>()) })
    }

    func all(_ type: ResourceType) -> [JSONValue] {
        (stores[type]?.all() ?? []).map(\.json).sorted { ($0.namespace ?? "", $0.name) < ($1.namespace ?? "", $1.name) }
    }

    func all(_ type: ResourceType, in namespace: String?) -> [JSONValue] {
        all(type).filter { $0.namespace == namespace }
    }

    func get(_ type: ResourceType, _ key: ObjectKey) -> JSONValue? { stores[type]?.get(key)?.json }

    func controlled(_ type: ResourceType, by owner: JSONValue) -> [JSONValue] {
        (stores[type]?.controlled(by: owner.uid) ?? []).map(\.json)
    }

    func noteWritten(_ type: ResourceType, _ answer: JSONValue) {
        guard let version = answer["metadata", "resourceVersion"]?.string, answer["kind"]?.string == type.kind else {
            return
        }
        stores[type]?.noteWritten(answer.key, resourceVersion: version)
    }

    func hasSeenOwnWrites(_ type: ResourceType, _ key: ObjectKey) -> Bool {
        stores[type]?.hasSeenOwnWrites(key) ?? true
    }

    func waitForSync() async throws { for store in stores.values { try await store.waitForSync() } }

    func subscribe(_ type: ResourceType, _ handler: @escaping @Sendable (StoreChange<DynamicObject>) -> Void) {
        stores[type]?.subscribe(handler)
    }

    /// Keeps the stores up to date until cancelled.
    func run(client: KubernetesClient, time: any TimeSource, logger: Logger) async {
        await withTaskGroup(of: Void.self) { group in
            for (type, store) in stores {
                let reflector = Reflector(client: client, type: type, store: store, time: time, logger: logger)
                group.addTask { await reflector.run() }
            }
        }
    }
}

/// Which writes to children a key waits for before it may be planned again, so that no plan is made twice from an old
/// cache.
final class Expectations: Sendable {
    struct Child: Hashable {
        var type: ResourceType
        var key: ObjectKey
    }

    private let children = Locked<[ObjectKey: Set<Child>]>([:])

    func expect(_ owner: ObjectKey, _ type: ResourceType, _ key: ObjectKey) {
        children.withLock { _ = $0[owner, default: []].insert(Child(type: type, key: key)) }
    }

    /// True once the cache has come as far as everything that was written for `owner`.
    func areMet(_ owner: ObjectKey, _ cache: ClusterCache) -> Bool {
        let waiting = children.withLock { $0[owner] ?? [] }
        guard waiting.allSatisfy({ cache.hasSeenOwnWrites($0.type, $0.key) }) else { return false }
        children.withLock { $0[owner] = nil }
        return true
    }
}
