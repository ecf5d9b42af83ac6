import Concurrency
import HTTPTransport

/// What passes between the loop's thread, which fills it, and the task that reads it.
final class Transfer: Sendable {
    struct Head: Sendable {
        var status: Int
        var headers: HTTPHeaders
    }

    enum Need {
        case head
        case bytes
    }

    enum Acceptance {
        case accepted
        /// Not taken: the same bytes are to be offered again after `.resume`.
        case paused
        /// Not taken, since nobody reads any more or the limit is reached.
        case refused
    }

    private struct State {
        var head: Head?
        var buffer: [UInt8] = []
        var isPaused = false
        var end: Result<Void, HTTPTransportError>?
        var waiters: [CheckedContinuation<Void, Never>] = []

        func isReady(_ need: Need) -> Bool {
            end != nil || (need == .head ? head != nil : !buffer.isEmpty)
        }

        mutating func takeWaiters() -> [CheckedContinuation<Void, Never>] {
            defer { waiters = [] }
            return waiters
        }
    }

    /// A `.stream` is paused when this much waits to be read.
    static let highWater = 256 << 10
    /// Other bodies, which cannot be paused, fail when this much waits to be read.
    static let maximumBuffered = 256 << 20

    let id: UInt64
    let delivery: HTTPRequest.Delivery
    private let state = Locked(State())

    init(id: UInt64, delivery: HTTPRequest.Delivery) {
        self.id = id
        self.delivery = delivery
    }

    // MARK: The loop's side

    func publish(_ head: Head) {
        resume(
            state.withLock { state in
                state.head = head
                return state.takeWaiters()
            })
    }

    func offer(_ bytes: UnsafeRawBufferPointer) -> Acceptance {
        let canPause = if case .stream = delivery { true } else { false }
        let chunk = [UInt8](bytes)
        let (result, waiters) = state.withLock { state -> (Acceptance, [CheckedContinuation<Void, Never>]) in
            if state.end != nil { return (.refused, []) }
            if canPause, state.buffer.count >= Self.highWater {
                state.isPaused = true
                return (.paused, [])
            }
            if state.buffer.count + chunk.count > Self.maximumBuffered {
                state.end = .failure(HTTPTransportError(.tooLarge(limit: Self.maximumBuffered)))
                return (.refused, state.takeWaiters())
            }
            if state.buffer.isEmpty { state.buffer = chunk } else { state.buffer += chunk }
            return (.accepted, state.takeWaiters())
        }
        resume(waiters)
        return result
    }

    /// The first end counts.
    func finish(_ end: Result<Void, HTTPTransportError>) {
        resume(
            state.withLock { state in
                if state.end == nil { state.end = end }
                return state.takeWaiters()
            })
    }

    var isFinished: Bool { state.withLock { $0.end != nil } }

    /// False while bytes wait for the reader: then it is not the server that is late.
    var isStarving: Bool { state.withLock { $0.buffer.isEmpty && !$0.isPaused } }

    private func resume(_ waiters: [CheckedContinuation<Void, Never>]) {
        for waiter in waiters { waiter.resume() }
    }

    // MARK: The reader's side

    func isReady(_ need: Need) -> Bool { state.withLock { $0.isReady(need) } }

    /// Returns when there may be something new.
    func wait(for need: Need) async {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            // Whoever finishes the transfer before this point is seen here, and after it finds the waiter.
            let isReady = state.withLock { state -> Bool in
                if state.isReady(need) { return true }
                state.waiters.append(continuation)
                return false
            }
            if isReady { continuation.resume() }
        }
    }

    /// The head, also where the body has failed since: reading will tell. But not after cancelling.
    func takeHead() throws(HTTPTransportError) -> Head {
        let (head, end) = state.withLock { ($0.head, $0.end) }
        if case .failure(let error)? = end, head == nil || error.code == .cancelled { throw error }
        guard let head else { throw HTTPTransportError(.broken, detail: "the answer has no status line") }
        return head
    }

    /// All bytes that wait, or nil at the end; and whether the transfer was paused for them.
    func takeBytes() throws(HTTPTransportError) -> ([UInt8]?, wasPaused: Bool) {
        let (bytes, wasPaused, end) = state.withLock { state in
            let bytes = state.buffer
            let wasPaused = state.isPaused
            state.buffer = []
            state.isPaused = false
            return (bytes, wasPaused, state.end)
        }
        if !bytes.isEmpty { return (bytes, wasPaused) }
        if case .failure(let error)? = end { throw error }
        return (nil, wasPaused)
    }
}
