import Concurrency
import ControllerRuntime
import KubernetesModel

/// Which objects have which value of something, by namespace.
final class ValueIndex<Object: StoredObject>: Sendable {
    private let values: @Sendable (Object) -> [String]
    private let keys = Locked<[ObjectKey: Set<ObjectKey>]>([:])

    init(_ values: @escaping @Sendable (Object) -> [String]) { self.values = values }

    /// The objects of a namespace that have this value, in order.
    func objects(namespace: String?, value: String) -> [ObjectKey] {
        keys.withLock { $0[ObjectKey(namespace: namespace, name: value)] ?? [] }.sorted()
    }

    func update(_ change: StoreChange<Object>) {
        switch change {
        case .added(let object): insert(object, values(object))
        case .modified(let old, let new):
            let (before, after) = (values(old), values(new))
            guard before != after else { return }
            remove(old, before)
            insert(new, after)
        case .deleted(let object): remove(object, values(object))
        }
    }

    private func insert(_ object: Object, _ values: [String]) {
        guard !values.isEmpty else { return }
        keys.withLock { keys in
            for value in values { keys[entry(object, value), default: []].insert(object.metadata.key) }
        }
    }

    private func remove(_ object: Object, _ values: [String]) {
        guard !values.isEmpty else { return }
        keys.withLock { keys in
            for value in values {
                let entry = entry(object, value)
                keys[entry]?.remove(object.metadata.key)
                if keys[entry]?.isEmpty == true { keys[entry] = nil }
            }
        }
    }

    private func entry(_ object: Object, _ value: String) -> ObjectKey {
        ObjectKey(namespace: object.metadata.namespace, name: value)
    }
}
