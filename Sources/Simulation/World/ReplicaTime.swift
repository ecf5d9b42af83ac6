import Concurrency

/// The clocks of one replica's machine: people and programs may set the one that tells the date.
struct ReplicaTime: TimeSource {
    let replica: Int
    let inner: SimulatedTime
    let faults: FaultLayer

    func monotonicNow() -> Duration { inner.monotonicNow() }
    func wallNow() -> Duration { inner.wallNow() + faults.skew(replica) }
    func sleep(for duration: Duration) async throws { try await inner.sleep(for: duration) }
}
