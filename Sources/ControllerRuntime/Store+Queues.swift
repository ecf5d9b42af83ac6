import KubernetesModel

/// A cache whose objects are controlled by others.
public protocol OwnedCache: Sendable {
    /// Adds the object of that kind which controls whatever changes, in its own namespace, to a queue.
    func enqueueControllers(_ type: ResourceType, into queue: WorkQueue)
}

extension Store: OwnedCache {
    /// Adds whatever changes to a queue. The first sight of every object after a start gives way to what somebody has
    /// just changed.
    public func enqueue(into queue: WorkQueue) {
        subscribe { [weak self] change in
            queue.add(change.key, priority: self?.hasSynced == true ? .normal : .background)
        }
    }

    /// Adds the object of that kind which controls whatever changes, in its own namespace, to a queue.
    public func enqueueControllers(_ type: ResourceType, into queue: WorkQueue) {
        enqueueControllers(type, into: queue) { _ in true }
    }

    /// Adds the object of that kind which controls what changes, in its own namespace, to a queue.
    ///
    /// - Parameter isOfInterest: whether a change is one that the owner has to know of.
    public func enqueueControllers(
        _ type: ResourceType, into queue: WorkQueue,
        where isOfInterest: @escaping @Sendable (StoreChange<Object>) -> Bool
    ) {
        subscribe { change in
            guard isOfInterest(change) else { return }
            let metadata = change.object.metadata
            guard let owner = metadata.controller, owner.kind == type.kind, owner.apiVersion == type.apiVersion else {
                return
            }
            queue.add(ObjectKey(namespace: metadata.namespace, name: owner.name))
        }
    }
}
