import HTTPServer
import NIOCore

/// The one deadline of a client's connection.
///
/// Most waits end long before their time, and cancelling a task costs a search in the event loop's heap. So the task stays
/// where it is and, when it runs, looks whether the wait of that moment is over.
final class StageTimer {
    enum Wait {
        /// For the end of a TLS handshake.
        case handshake
        /// For a connection's first request, or the rest of a head.
        case head
        /// For another request.
        case idle
        /// For the word of who calls.
        case review
        /// For more of a request's body.
        case requestBody
        /// For the head of a response.
        case response
        /// For more of a response's body.
        case responseBody
        /// For the client to take bytes.
        case clientTakes
        /// For the client to read the last answer.
        case linger
    }

    /// A body that comes more slowly than so many bytes in the time of one wait is given up.
    private static let leastProgress = 1 << 10

    private let loop: LoopContext
    /// Not weak, which would make every use of the handler slower: ``stop()`` lets go of it.
    var handler: ClientHandler?
    private var current: (wait: Wait, until: Duration)?
    private var task: (scheduled: Scheduled<Void>, at: Duration)?
    private var mark = 0

    init(_ loop: LoopContext) { self.loop = loop }

    func wait(for wait: Wait) {
        mark = 0
        set(wait)
    }

    /// So many bytes of the body have come.
    func progress(_ received: Int) {
        guard received - mark >= Self.leastProgress, case .requestBody = current?.wait else { return }
        mark = received
        set(.requestBody)
    }

    private func set(_ wait: Wait) {
        let until = loop.now + duration(of: wait)
        current = (wait, until)
        if let task {
            if task.at <= until { return }
            task.scheduled.cancel()
        }
        schedule(until)
    }

    /// Nothing is waited for; whoever holds the request has its own clock.
    func stopWaiting() { current = nil }

    func stop() {
        current = nil
        task?.scheduled.cancel()
        task = nil
        handler = nil
    }

    private func duration(of wait: Wait) -> Duration {
        let limits = loop.limits
        return switch wait {
        case .handshake: limits.handshakeTimeout
        case .review: limits.reviewTimeout
        case .head: limits.server.headTimeout
        // Who was told that the connection goes on, before the order to stop came, has a moment to use it.
        case .idle: loop.isDraining ? min(limits.drainDelay, limits.server.idleTimeout) : limits.server.idleTimeout
        case .requestBody: limits.server.bodyTimeout
        case .response: limits.responseTimeout
        case .responseBody: limits.responseIdleTimeout
        case .clientTakes: limits.server.writeTimeout
        case .linger: .seconds(2)
        }
    }

    private func schedule(_ at: Duration) {
        let delay = TimeAmount(max(.zero, at - loop.now))
        let scheduled = loop.loop.assumeIsolated().scheduleTask(in: delay) { self.fire() }
        task = (scheduled, at)
    }

    private func fire() {
        task = nil
        guard let current else { return }
        if current.until > loop.now { return schedule(current.until) }
        self.current = nil
        handler?.expired(current.wait)
    }
}
