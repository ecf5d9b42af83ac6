import Concurrency
import JSON
import KubernetesModel

/// The objects of one kind as the API server last told them, kept by a ``Reflector`` and read by any number of tasks.
///
/// Reading costs a lock and a look-up. A re-list shows as one step; handlers only hear of what really changed.
public final class Store<Object: CachedObject>: Sendable {
    /// Told of a change.
    public typealias Handler = @Sendable (StoreChange<Object>) -> Void

    private let contents = Locked(StoreContents<Object>())
    private let handlers = Locked<[Handler]>([])
    private let synced = Gate()

    /// Empty, and not synced.
    public init() {}

    /// The object as last heard of; nil where there is none.
    public func get(_ key: ObjectKey) -> Object? { contents.withLock { $0[key] } }

    /// All objects, in no order.
    public func all() -> [Object] { contents.withLock { $0.objects } }

    /// How many objects it holds.
    public var count: Int { contents.withLock { $0.count } }

    /// The objects that name `uid` among their owners, by key.
    public func owned(by uid: String) -> [Object] { contents.withLock { $0.owned(by: uid) } }

    /// The objects whose controller is `uid`, by key.
    public func controlled(by uid: String) -> [Object] {
        owned(by: uid).filter { $0.metadata.controller?.uid == uid }
    }

    /// Objects that could not be read, with the reason.
    public var quarantined: [ObjectKey: Quarantine] { contents.withLock { $0.quarantine } }

    /// How many documents could not be read since the start.
    public var undecodableCount: Int { contents.withLock { $0.undecodable } }

    /// The latest version heard of, of any object of the kind; empty before the first list.
    public var observedVersion: String { contents.withLock { $0.observedVersion } }

    /// True once a first list was taken in whole.
    public var hasSynced: Bool { synced.isOpen }

    /// Returns once a first list was taken in whole; throws `CancellationError`.
    public func waitForSync() async throws { try await synced.wait() }

    /// Calls `handler` for every change from now on, one at a time and in order, on the reflector's task: it must be
    /// quick. What is stored already is told as additions first; subscribe before the reflector runs where a change at
    /// the same time must not overtake them. During the first list ``hasSynced`` is still false, which tells the backlog
    /// of a start from news (``WorkPriority/background``).
    public func subscribe(_ handler: @escaping Handler) {
        handlers.withLock { $0.append(handler) }
        for object in all() { handler(.added(object)) }
    }

    // MARK: Reading one's own writes

    /// Remembers that this process wrote `resourceVersion`, so that a reader can tell an old cache from a new one.
    ///
    /// The memory may be lost: that costs its reader one live GET.
    ///
    /// - Parameter object: what the server answered. Where it is gone again before the store hears of it, handlers are told
    ///   of the deletion all the same, by whoever writes or fills the store; nobody else would tell them.
    public func noteWritten(_ key: ObjectKey, resourceVersion: String, as object: Object? = nil) {
        if resourceVersion.isEmpty { return }
        publish(contents.withLock { $0.noteWritten(key, resourceVersion: resourceVersion, as: object) })
    }

    /// True unless a write noted for `key` is later than what the store has heard of.
    public func hasSeenOwnWrites(_ key: ObjectKey) -> Bool { contents.withLock { $0.hasSeenOwnWrites(key) } }

    /// Drops the memory of a write, once a live GET has told how things stand.
    public func forgetWritten(_ key: ObjectKey) { contents.withLock { $0.forgetWritten(key) } }

    /// How many own writes have not come back yet.
    public var pendingWriteCount: Int { contents.withLock { $0.pendingWrites } }

    // MARK: For who fills the store

    /// A list begins; readers see nothing of it before ``finishList(resourceVersion:)``.
    public func beginList() { contents.withLock { $0.beginList() } }

    /// Takes a page. Returns the objects that could not be read, of those that were not reported before.
    @discardableResult
    public func stage(_ items: [JSONValue]) -> [(ObjectKey, Quarantine)] { items.compactMap(stage) }

    /// Takes an item of a list. Returns it where it could not be read and was not reported before.
    func stage(_ item: JSONValue) -> (ObjectKey, Quarantine)? { contents.withLock { $0.stage(item) } }

    /// The list is whole: readers see it in one step, and handlers hear of what it changed.
    public func finishList(resourceVersion: String) {
        let changes = contents.withLock { $0.finishList(resourceVersion: resourceVersion) }
        publish(changes)
        synced.open()
    }

    /// Takes an ADDED or MODIFIED object. Returns it where it could not be read and was not reported before.
    @discardableResult
    public func apply(_ item: JSONValue) -> (ObjectKey, Quarantine)? {
        let (changes, refused) = contents.withLock { $0.apply(item) }
        publish(changes)
        return refused
    }

    /// Takes a DELETED object.
    public func delete(_ item: JSONValue) { publish(contents.withLock { $0.delete(item) }) }

    /// Takes a BOOKMARK: everything up to this version has been told.
    public func bookmark(_ resourceVersion: String) { contents.withLock { $0.bookmark(resourceVersion) } }

    private func publish(_ changes: [StoreChange<Object>]) {
        if changes.isEmpty { return }
        let handlers = handlers.withLock { $0 }
        for change in changes {
            for handler in handlers { handler(change) }
        }
    }
}
