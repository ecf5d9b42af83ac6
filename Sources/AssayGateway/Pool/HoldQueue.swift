import Concurrency
import DequeModule

/// How much may be held for a model by all threads together.
package final class HoldBudget: Sendable {
    private struct Held {
        var requests = 0
        var bytes = 0
    }

    private let held = Locked(Held())
    private let requests: Int
    private let bytes: Int

    package init(requests: Int, bytes: Int) {
        self.requests = requests
        self.bytes = bytes
    }

    /// Takes a place; false where there is none.
    func take(bytes count: Int) -> Bool {
        held.withLock { held in
            guard held.requests < requests, held.bytes + count <= bytes else { return false }
            held.requests += 1
            held.bytes += count
            return true
        }
    }

    func giveBack(bytes count: Int) {
        held.withLock { held in
            held.requests -= 1
            held.bytes -= count
        }
    }

    /// Requests held now.
    var count: Int { held.withLock { $0.requests } }
}

/// Requests that wait for a connection, first in, first out. Taking one out of the middle costs no search.
package struct HoldQueue<Request: AnyObject> {
    /// Names a place in the queue.
    package typealias Ticket = Int

    struct Entry {
        /// Nil once it has left.
        var request: Request?
        var bytes: Int
        var deadline: Duration
    }

    private var entries: Deque<Entry> = []
    /// The ticket of the first entry.
    private var first: Ticket = 0
    private let budget: HoldBudget
    private(set) var count = 0

    init(budget: HoldBudget) { self.budget = budget }

    package var isEmpty: Bool { count == 0 }

    /// - Returns: nil where too many, or too many bytes, are held.
    mutating func append(_ request: Request, bytes: Int, deadline: Duration) -> Ticket? {
        guard budget.take(bytes: bytes) else { return nil }
        entries.append(Entry(request: request, bytes: bytes, deadline: deadline))
        count += 1
        return first + entries.count - 1
    }

    /// The one that has waited longest.
    mutating func popFirst() -> Request? {
        while let entry = entries.popFirst() {
            first += 1
            guard let request = entry.request else { continue }
            count -= 1
            budget.giveBack(bytes: entry.bytes)
            return request
        }
        return nil
    }

    /// A request leaves, because its client did. False where it has left before.
    @discardableResult
    mutating func remove(_ ticket: Ticket) -> Bool {
        let index = ticket - first
        guard entries.indices.contains(index), entries[index].request != nil else { return false }
        entries[index].request = nil
        count -= 1
        budget.giveBack(bytes: entries[index].bytes)
        entries[index].bytes = 0
        while let head = entries.first, head.request == nil {
            entries.removeFirst()
            first += 1
        }
        return true
    }

    /// Takes out those that have waited too long.
    mutating func expire(now: Duration) -> [Request] {
        if isEmpty { return [] }
        var expired: [(ticket: Ticket, request: Request)] = []
        for (offset, entry) in entries.enumerated() where entry.deadline <= now {
            if let request = entry.request { expired.append((first + offset, request)) }
        }
        for (ticket, _) in expired { remove(ticket) }
        return expired.map(\.request)
    }

    /// Takes out all.
    mutating func removeAll() -> [Request] {
        var all: [Request] = []
        while let request = popFirst() { all.append(request) }
        return all
    }
}
