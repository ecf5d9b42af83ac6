import Concurrency
import HTTPTransport

/// What passes between the loop's thread, which fills it, and the task that reads it.
final class Transfer: Sendable {
    struct Head: Sendable {
        var status: Int
        var headers: HTTPHeaders
        /// Other transfers may use the connection at the same time, as on HTTP/2.
        var sharesConnection = false
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
        var buffer = PieceBuffer()
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

    /// A transfer with a connection of its own is paused when this much waits to be read.
    static let highWater = 256 << 10
    /// On a shared connection nothing is paused: libcurl 7.88 goes on buffering, 32 MB a stream, and others are held up. A
    /// watch of which this much waits to be read is ended instead.
    static let maximumUnreadWatch = 8 << 20
    /// And any other body.
    static let maximumUnread = 256 << 20

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
        let chunk = [UInt8](bytes)
        let (result, waiters) = state.withLock { state -> (Acceptance, [CheckedContinuation<Void, Never>]) in
            if state.end != nil { return (.refused, []) }
            let unread = state.buffer.count
            if state.head?.sharesConnection != true {
                guard unread < Self.highWater else {
                    state.isPaused = true
                    return (.paused, [])
                }
            } else if let error = Self.overflow(unread + chunk.count, delivery) {
                state.end = .failure(error)
                return (.refused, state.takeWaiters())
            }
            state.buffer.append(chunk)
            return (.accepted, state.takeWaiters())
        }
        resume(waiters)
        return result
    }

    private static func overflow(_ unread: Int, _ delivery: HTTPRequest.Delivery) -> HTTPTransportError? {
        if case .watch = delivery {
            guard unread > maximumUnreadWatch else { return nil }
            let detail = "more than \(maximumUnreadWatch >> 20) MB came that nobody had read yet"
            return HTTPTransportError(.outrun(limit: maximumUnreadWatch), detail: detail)
        }
        return unread > maximumUnread ? HTTPTransportError(.tooLarge(limit: maximumUnread)) : nil
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

    /// A piece of the bytes that wait, or nil at the end; and whether a paused transfer is to go on.
    func takeBytes() throws(HTTPTransportError) -> ([UInt8]?, goesOn: Bool) {
        let (bytes, goesOn, end) = state.withLock { state in
            let bytes = state.buffer.takeFirst()
            let goesOn = state.isPaused && state.buffer.isEmpty
            if goesOn { state.isPaused = false }
            return (bytes, goesOn, state.end)
        }
        if let bytes { return (bytes, goesOn) }
        if case .failure(let error)? = end { throw error }
        return (nil, goesOn)
    }
}
