import Concurrency

/// How long a store that cannot be reached, or is in trouble, is asked again.
public struct Patience: Sendable {
    /// Without any progress.
    public var limit: Duration
    public var time: any TimeSource

    private static let shortest: Duration = .milliseconds(500)
    private static let longest: Duration = .seconds(30)

    public init(limit: Duration, time: any TimeSource = SystemTime()) {
        self.limit = limit
        self.time = time
    }

    /// Tries until it goes well, fails for good, or has not got on for too long.
    /// - Parameter progress: how far it got. A try that comes further than all before it begins the wait anew.
    func run<Result>(
        progress: () -> Int = { 0 }, _ attempt: () async throws(ArtifactError) -> Result
    ) async throws(ArtifactError) -> Result {
        var furthest = progress()
        var since = time.monotonicNow()
        var failures = 0
        while true {
            do throws(ArtifactError) {
                return try await attempt()
            } catch {
                guard case .store(let failure) = error, failure.isTransient else { throw error }
                if progress() > furthest {
                    furthest = progress()
                    since = time.monotonicNow()
                    failures = 0
                }
                failures += 1
                let wait = failure.retryAfter ?? backoff(failures)
                // Whoever called with patience of their own is not to begin again.
                guard time.monotonicNow() + wait - since <= limit else {
                    throw .store(StoreFailure("\(failure); this was tried \(failures) times, for at most \(limit)"))
                }
                do { try await time.sleep(for: wait) } catch { throw .store(StoreFailure("it was cancelled")) }
            }
        }
    }

    /// Doubles, up to half a minute; a random part of it, so that those who failed together do not come back together.
    private func backoff(_ failures: Int) -> Duration {
        var ceiling = Self.shortest
        for _ in 1..<max(1, failures) where ceiling < Self.longest { ceiling *= 2 }
        return min(ceiling, Self.longest) * Double.random(in: 0.5...1)
    }
}
