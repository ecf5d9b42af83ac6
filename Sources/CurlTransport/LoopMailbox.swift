internal import CLinux
import Concurrency
import HTTPTransport

#if canImport(Glibc)
import Glibc
#else
import Musl
#endif

/// Commands for the loop's thread, and the descriptor that wakes it.
final class LoopMailbox: Sendable {
    enum Command: Sendable {
        case start(HTTPRequest, Transfer)
        case cancel(UInt64)
        case resume(UInt64)
        /// Ends the thread; what still runs fails with the error.
        case stop(HTTPTransportError)
    }

    private struct State {
        var commands: [Command] = []
        var lastID: UInt64 = 0
        var isClosed = false
        /// When anything last arrived, in milliseconds of the monotonic clock.
        var lastArrival: Int64 = 0
    }

    let wakeDescriptor: Int32
    private let state = Locked(State())

    init() throws(HTTPTransportError) {
        wakeDescriptor = eventfd(0, Int32(EFD_NONBLOCK) | Int32(EFD_CLOEXEC))
        guard wakeDescriptor >= 0 else {
            throw HTTPTransportError(.closed, detail: "eventfd: \(String(cString: strerror(errno)))")
        }
    }

    // The thread holds the mailbox as well, so nobody waits on the descriptor any more.
    deinit { _ = closeDescriptor(wakeDescriptor) }

    func nextID() -> UInt64 {
        state.withLock { state in
            state.lastID += 1
            return state.lastID
        }
    }

    /// False when the loop has ended or is about to.
    @discardableResult
    func post(_ command: Command) -> Bool {
        let (accepted, wake) = state.withLock { state -> (Bool, Bool) in
            if state.isClosed { return (false, false) }
            if case .stop = command { state.isClosed = true }
            state.commands.append(command)
            // Later ones find the thread awake or about to be: it reads the descriptor before it takes commands.
            return (true, state.commands.count == 1)
        }
        if wake {
            var one: UInt64 = 1
            // Can only fail when the counter is full, and then the thread is awake.
            _ = write(wakeDescriptor, &one, MemoryLayout<UInt64>.size)
        }
        return accepted
    }

    func takeCommands() -> [Command] {
        state.withLock { state in
            let commands = state.commands
            state.commands = []
            return commands
        }
    }

    func noteArrival(at moment: Int64) { state.withLock { $0.lastArrival = moment } }
    func isSilent(since moment: Int64) -> Bool { state.withLock { $0.lastArrival <= moment } }

    /// Refuses further commands; returns those that were not carried out.
    func close() -> [Command] {
        state.withLock { state in
            state.isClosed = true
            let commands = state.commands
            state.commands = []
            return commands
        }
    }

    func drainWakeUps() {
        var count: UInt64 = 0
        _ = read(wakeDescriptor, &count, MemoryLayout<UInt64>.size)
    }
}
