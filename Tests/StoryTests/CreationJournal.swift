import Concurrency
import JSON
import KubernetesClient
import KubernetesModel

/// Tells apart all objects of some kinds that a story's namespace ever had, by their uids: a second one of anything is
/// seen though it be deleted again. What the server answered to who created it says less, since an answer that nobody
/// waits for any more may say that the request was given up, of an object that was made.
struct CreationJournal: Sendable {
    private let world: StoryWorld
    private let types: [ResourceType]
    private let uids = Locked<[ResourceType: Set<String>]>([:])

    /// Follows the kinds while `body` runs, from before its first word.
    static func keep<Result: Sendable>(
        _ types: [ResourceType], of world: StoryWorld,
        _ body: @escaping @Sendable (CreationJournal) async throws -> Result
    ) async throws -> Result {
        let journal = CreationJournal(world: world, types: types)
        return try await withThrowingTaskGroup(of: Result?.self) { group in
            for type in types {
                group.addTask {
                    try await world.client.follow(type, in: world.namespace) { journal.take($0, type) }
                    return nil
                }
            }
            group.addTask { try await body(journal) }
            defer { group.cancelAll() }
            while let result = try await group.next() {
                if let result { return result }
            }
            throw CancellationError()
        }
    }

    private init(world: StoryWorld, types: [ResourceType]) {
        self.world = world
        self.types = types
    }

    private func take(_ object: JSONValue, _ type: ResourceType) {
        guard let uid = object["metadata", "uid"]?.string else { return }
        _ = uids.withLock { $0[type, default: []].insert(uid) }
    }

    /// How many objects of each kind there ever were, up to those that are there now.
    func counts() async throws -> [String: Int] {
        for type in types {
            let present = try await world.client.list(type, namespace: world.namespace).items
                .compactMap { $0["metadata", "uid"]?.string }
            try await world.eventually("\(type) in the journal") {
                uids.withLock { $0[type, default: []].isSuperset(of: present) }
            }
        }
        let seen = uids.withLock { $0 }
        return Dictionary(uniqueKeysWithValues: types.map { ($0.plural, seen[$0]?.count ?? 0) })
    }
}
