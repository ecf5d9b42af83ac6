import Concurrency
import Files
import Glibc

/// Says on standard error how far a transfer is, every few seconds.
final class TransferProgress: Sendable {
    private struct State {
        var bytes = 0
        var told: Duration
    }

    private static let interval: Duration = .seconds(5)

    private let what: String
    private let time: any TimeSource
    private let state: Locked<State>

    /// - Parameter what: what the bytes are, after `412 MiB`.
    init(_ what: String, time: any TimeSource = SystemTime()) {
        self.what = what
        self.time = time
        state = Locked(State(told: time.monotonicNow()))
    }

    /// Bytes that are done.
    @Sendable func add(_ count: Int) {
        let now = time.monotonicNow()
        let bytes: Int? = state.withLock { state in
            state.bytes += count
            guard now - state.told >= Self.interval else { return nil }
            state.told = now
            return state.bytes
        }
        if let bytes { StandardError.say("\(bytes >> 20) MiB \(what)") }
    }
}

/// What is said beside a command's output.
enum StandardError {
    /// Writes a line. Where nobody reads it, nothing is lost by it.
    static func say(_ line: String) {
        do throws(FileError) {
            try FileSystem.writeAll(Array("\(line)\n".utf8)[...], to: STDERR_FILENO, "standard error")
        } catch {
            return
        }
    }
}
