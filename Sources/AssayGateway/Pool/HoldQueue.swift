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
        /// Its place among those that wait on all loops, where their order matters.
        var number = 0
    }

    private var entries: Deque<Entry> = []
    /// The ticket of the first entry.
    private var first: Ticket = 0
    private let budget: HoldBudget
    private(set) var count = 0
    /// Where those that wait on all loops are kept in order; nil where each loop has pods of its own accord.
    var line: SlotLine? {
        didSet {
            if let oldValue { oldValue.slots.first(of: oldValue.member, is: nil) }
            guard let line else { return }
            for index in entries.indices where entries[index].request != nil {
                entries[index].number = line.slots.number(for: line.member)
            }
        }
    }

    init(budget: HoldBudget) { self.budget = budget }

    package var isEmpty: Bool { count == 0 }

    /// - Returns: nil where too many, or too many bytes, are held.
    mutating func append(_ request: Request, bytes: Int, deadline: Duration) -> Ticket? {
        guard budget.take(bytes: bytes) else { return nil }
        let number = line.map { $0.slots.number(for: $0.member) } ?? 0
        entries.append(Entry(request: request, bytes: bytes, deadline: deadline, number: number))
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
            trim()
            return request
        }
        return nil
    }

    /// Those who have left are not first.
    private mutating func trim() {
        while let head = entries.first, head.request == nil {
            entries.removeFirst()
            first += 1
        }
        if let line { line.slots.first(of: line.member, is: entries.first?.number) }
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
        if index == 0 { trim() }
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
