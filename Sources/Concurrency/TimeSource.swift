#if canImport(Glibc)
import Glibc
#else
import Musl
#endif

/// Where a component reads the time and waits, so that a test or a simulation can stand in its place.
public protocol TimeSource: Sendable {
    /// Time since an arbitrary moment that is never set, and that goes on while the machine sleeps. For deadlines, backoff
    /// and leases.
    func monotonicNow() -> Duration

    /// Time since the Unix epoch in UTC. For what people and the API read; it may jump.
    func wallNow() -> Duration

    /// Waits; throws `CancellationError` at once when the task is cancelled.
    func sleep(for duration: Duration) async throws
}

/// The operating system's clocks.
public struct SystemTime: TimeSource {
    public init() {}

    /// Not `CLOCK_MONOTONIC`, which stands still while the machine sleeps: who wakes up would still hold a lease that others
    /// have long seen run out.
    public func monotonicNow() -> Duration { Self.read(CLOCK_BOOTTIME) }
    public func wallNow() -> Duration { Self.read(CLOCK_REALTIME) }
    public func sleep(for duration: Duration) async throws { try await Task.sleep(for: duration) }

    private static func read(_ clock: clockid_t) -> Duration {
        var value = timespec()
        clock_gettime(clock, &value)
        return .seconds(Int64(value.tv_sec)) + .nanoseconds(Int64(value.tv_nsec))
    }
}
