import APIServerModel
import Concurrency
import HTTPTransport
import JSON

/// What a watch of the operator receives: the server's lines, as late as the faults have it.
final class WatchFeed: Sendable {
    private struct State {
        var lines: [(due: Duration, bytes: [UInt8])] = []
        var isEnded = false
        var isCut = false
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let id: WatchID
    private let plural: String
    private let replica: Int
    private let server: SimulatedServer
    private let time: SimulatedTime
    private let faults: FaultLayer
    private let life: Life
    private let state = Locked(State())

    init(
        _ id: WatchID, plural: String, replica: Int, server: SimulatedServer, time: SimulatedTime,
        faults: FaultLayer, life: Life
    ) {
        self.id = id
        self.plural = plural
        self.replica = replica
        self.server = server
        self.time = time
        self.faults = faults
        self.life = life
        server.setFeed(id) { [weak self] in self?.poke() }
        life.onDeath { [weak self] in self?.poke() }
        faults.onWatchFault { [weak self] cut in if cut.concerns(plural, of: replica) { self?.cut() } }
    }

    deinit { server.closeWatch(id) }

    var body: HTTPBody {
        HTTPBody { () async throws(HTTPTransportError) in try await self.next() }
    }

    private func next() async throws(HTTPTransportError) -> [UInt8]? {
        while true {
            if life.isOver { throw HTTPTransportError(.closed, detail: "the process has died") }
            if Task.isCancelled { throw HTTPTransportError(.cancelled) }
            take()
            let now = time.monotonicNow()
            let (lines, isOver) = state.withLock { state -> ([[UInt8]], Bool) in
                let due = state.lines.prefix { $0.due <= now }.map(\.bytes)
                state.lines.removeFirst(due.count)
                return (due, state.isCut || (state.isEnded && state.lines.isEmpty))
            }
            if !lines.isEmpty { return Self.join(faults.collapses(plural) ? Self.collapsed(lines) : lines) }
            if isOver {
                server.closeWatch(id)
                return nil
            }
            await wait()
        }
    }

    private static func join(_ lines: [[UInt8]]) -> [UInt8] { Array(lines.joined()) }

    /// Of several changes of one object that come together only the last, as a server that coalesces would send.
    private static func collapsed(_ lines: [[UInt8]]) -> [[UInt8]] {
        var last: [String: Int] = [:]
        var names: [String?] = []
        for (index, line) in lines.enumerated() {
            var name: String?
            do {
                let event = try JSONValue(parsing: line)
                if event["type"] == "MODIFIED" { name = event["object", "metadata", "uid"]?.string }
            } catch {
                // Not an event of an object: it goes as it is.
            }
            names.append(name)
            if let name { last[name] = index }
        }
        return lines.indices.filter { index in names[index].map { last[$0] == index } ?? true }.map { lines[$0] }
    }

    private func take() {
        let batch = server.takeEvents(id)
        if batch.lines.isEmpty && !batch.isEnded { return }
        let due = max(time.monotonicNow() + faults.lag(plural, of: replica), life.catchesUp)
        state.withLock { state in
            // A watch never overtakes itself.
            let earliest = max(due, state.lines.last?.due ?? .zero)
            state.lines += batch.lines.map { (earliest, $0) }
            state.isEnded = state.isEnded || batch.isEnded
        }
    }

    private func wait() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let delay = state.withLock { state -> Duration? in
                    state.waiter = continuation
                    return state.lines.first.map { $0.due - time.monotonicNow() }
                }
                if let delay { time.alarm(after: delay) { [weak self] in self?.poke() } }
                if Task.isCancelled || life.isOver { poke() }
            }
        } onCancel: {
            poke()
        }
    }

    private func cut() {
        state.withLock { $0.isCut = true }
        poke()
    }

    private func poke() {
        let waiter = state.withLock { state in
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }
}
