import Concurrency

/// How many requests each pod of a revision has, counted over all event loops where that is bounded, and whose turn it is when there is
/// no room.
///
/// Each request that waits has a number, so that they leave in the order of their coming whichever loop they are on. Of each
/// loop only the first is known here. Room that is left is offered to the loop whose first is the oldest; one that cannot use
/// it, because it has no connection to that pod yet, passes, and the next is called. Whatever room comes is offered to all anew.
package final class PodSlots: Sendable {
    /// A loop that takes part.
    package typealias Member = Int

    private struct Seat {
        /// The number of its oldest request; nil while none waits.
        var first: Int?
        /// It has looked, and cannot use what is there.
        var isPassing = false
        /// It has been called and has not looked yet.
        var isCalled = false
        var call: @Sendable () -> Void = {}
    }

    private struct State {
        /// Nil for as many as come.
        var limit: Int?
        var pods: Set<String> = []
        var used: [String: Int] = [:]
        /// Of the pods, how many have no room.
        var full = 0
        var seats: [Member: Seat] = [:]
        var nextMember = 0
        var nextNumber = 0

        func isFull(_ pod: String) -> Bool { limit.map { used[pod, default: 0] >= $0 } ?? false }

        mutating func add(_ count: Int, to pod: String) {
            let before = isFull(pod)
            let sum = used[pod, default: 0] + count
            used[pod] = sum > 0 ? sum : nil
            guard pods.contains(pod), isFull(pod) != before else { return }
            full += before ? -1 : 1
        }

        /// The one whose turn it is.
        var first: Member? {
            var best: (member: Member, number: Int)?
            for (member, seat) in seats where !seat.isPassing {
                if let number = seat.first, number < best?.number ?? .max { best = (member, number) }
            }
            return best?.member
        }

        func isTurn(of member: Member) -> Bool { first.map { $0 == member } ?? true }

        mutating func offerToAll() {
            for member in seats.keys { seats[member]?.isPassing = false }
        }

        /// Whom to call now that something has changed; it has to be done without the lock.
        mutating func caller(except member: Member? = nil) -> (@Sendable () -> Void)? {
            guard full < pods.count, let first, first != member, seats[first]?.isCalled == false else { return nil }
            seats[first]?.isCalled = true
            return seats[first]?.call
        }
    }

    private let state = Locked(State())

    package init() {}

    private func change(_ body: (inout State) -> (@Sendable () -> Void)?) {
        let call = state.withLock { body(&$0) }
        call?()
    }

    /// Takes how many requests each of these pods may have from now on; nil for as many as come. What is beyond goes on.
    package func update(limit: Int?, pods: Set<String>) {
        change { state in
            if state.limit == limit, state.pods == pods { return nil }
            (state.limit, state.pods) = (limit, pods)
            state.full = pods.count { state.isFull($0) }
            state.offerToAll()
            return state.caller()
        }
    }

    /// The most requests that one pod has or can get; nil without a bound.
    var most: Int? {
        state.withLock { state in state.limit.map { max($0, state.used.values.max() ?? 0) } }
    }

    /// Whether a request is at a pod by its count.
    package var isInUse: Bool { state.withLock { !$0.used.isEmpty } }

    /// A loop takes part from now on.
    func join() -> Member {
        state.withLock { state in
            state.nextMember += 1
            state.seats[state.nextMember] = Seat()
            return state.nextMember
        }
    }

    /// - Parameter call: tells a loop to look for room, from any thread.
    func onCall(_ member: Member, _ call: @escaping @Sendable () -> Void) {
        state.withLock { $0.seats[member]?.call = call }
    }

    /// A loop waits for nothing more. What it has at pods it still gives back.
    func leave(_ member: Member) {
        change { state in
            state.seats[member] = nil
            return state.caller()
        }
    }

    // MARK: The line

    /// A request begins to wait.
    func number(for member: Member) -> Int {
        state.withLock { state in
            state.nextNumber += 1
            if state.seats[member]?.first == nil { state.seats[member]?.first = state.nextNumber }
            return state.nextNumber
        }
    }

    /// Another request is a loop's oldest now, or none.
    func first(of member: Member, is number: Int?) {
        change { state in
            guard state.seats[member] != nil, state.seats[member]?.first != number else { return nil }
            state.seats[member]?.first = number
            return state.caller(except: member)
        }
    }

    // MARK: Room

    /// How many more a pod may have now.
    func room(at pod: String) -> Int {
        state.withLock { state in state.limit.map { max(0, $0 - state.used[pod, default: 0]) } ?? .max }
    }

    /// Takes room at the one of these pods that has the least to do, if it is this loop's turn and there is any.
    ///
    /// - Returns: its index.
    func take(_ pods: [String], by member: Member) -> Int? {
        var taken: Int?
        change { state in
            state.seats[member]?.isPassing = false
            state.seats[member]?.isCalled = false
            guard state.isTurn(of: member) else { return nil }
            let usable = pods.indices.filter { !state.isFull(pods[$0]) }
            taken = usable.min { state.used[pods[$0], default: 0] < state.used[pods[$1], default: 0] }
            if let taken {
                state.add(1, to: pods[taken])
                return nil
            }
            state.seats[member]?.isPassing = true
            return state.caller()
        }
        return taken
    }

    /// A request has left a pod.
    ///
    /// - Parameter hasNext: another of this loop could take its place.
    /// - Returns: whether it does, for it is its turn.
    func release(_ pod: String, by member: Member, hasNext: Bool) -> Bool {
        var stays = false
        change { state in
            state.offerToAll()
            if hasNext, state.isTurn(of: member), state.limit.map({ state.used[pod, default: 0] <= $0 }) ?? true {
                stays = true
                return nil
            }
            state.add(-1, to: pod)
            return state.caller()
        }
        return stays
    }

    /// Counts, or no longer counts, what a loop has at a pod.
    func adjust(_ pod: String, by count: Int) {
        if count == 0 { return }
        change { state in
            state.add(count, to: pod)
            if count < 0 { state.offerToAll() }
            return state.caller()
        }
    }
}

/// A loop's part in the slots of a revision.
package struct SlotLine: Sendable {
    let slots: PodSlots
    let member: PodSlots.Member

    package init(_ slots: PodSlots) {
        self.slots = slots
        member = slots.join()
    }

    /// - Parameter call: tells this loop, from any thread, that it is its turn.
    package func onCall(_ call: @escaping @Sendable () -> Void) { slots.onCall(member, call) }

    /// It waits for nothing more.
    package func leave() { slots.leave(member) }
}
