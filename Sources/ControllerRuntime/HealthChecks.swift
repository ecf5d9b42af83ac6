import Concurrency

/// Whether a part works.
public enum Health: Sendable, Hashable {
    case healthy
    case unhealthy(String)
}

/// Named checks behind `/livez` and `/readyz`, as values: who serves them is somebody else's matter.
public final class HealthChecks: Sendable {
    /// Which question a check answers.
    public enum Endpoint: Sendable, Hashable {
        /// The process works; where not, it is to be restarted.
        case live
        /// The process can do its work now.
        case ready
    }

    /// Tells how things stand; called for each question, so it must be quick.
    public typealias Check = @Sendable () -> Health

    private let checks = Locked<[(endpoint: Endpoint, name: String, check: Check)]>([])

    /// Without a check, everything is well.
    public init() {}

    /// Adds a check; one of the same name is replaced.
    public func add(_ endpoint: Endpoint, _ name: String, _ check: @escaping Check) {
        checks.withLock { checks in
            checks.removeAll { $0.endpoint == endpoint && $0.name == name }
            checks.append((endpoint, name, check))
        }
    }

    /// Ready once a store has synced.
    public func addSync<Object>(_ name: String, _ store: Store<Object>) {
        add(.ready, "sync-\(name)") { store.hasSynced ? .healthy : .unhealthy("not synced yet") }
    }

    /// Ready while a reflector's store is whole and may be kept up. Takes the place of the store's own check.
    public func addReflector<Object>(_ name: String, _ reflector: Reflector<Object>) {
        add(.ready, "sync-\(name)") { reflector.status.health(hasSynced: reflector.store.hasSynced) }
    }

    /// Live while no key has been worked on for longer than `limit`.
    public func addQueue(_ queue: WorkQueue, limit: Duration = .seconds(600)) {
        add(.live, "queue-\(queue.name)") {
            guard let longest = queue.longestRunning, longest.duration > limit else { return .healthy }
            return .unhealthy("\(longest.key) has been worked on for \(longest.duration)")
        }
    }

    /// Ready unless the server forbids the Lease: a standby is ready, and so is one whom the server does not answer.
    public func addElector(_ elector: LeaderElector) { add(.ready, "leader-election") { elector.health } }

    /// Live while `heartbeat` beats.
    public func addHeartbeat(_ name: String, _ heartbeat: Heartbeat, limit: Duration) {
        add(.live, name) {
            let age = heartbeat.age
            return age <= limit ? .healthy : .unhealthy("no sign of life for \(age)")
        }
    }

    /// Runs the checks of an endpoint.
    public func report(_ endpoint: Endpoint) -> HealthReport {
        let checks = checks.withLock { $0.filter { $0.endpoint == endpoint } }
        return HealthReport(results: checks.map { ($0.name, $0.check()) })
    }
}

/// What the checks said.
public struct HealthReport: Sendable {
    /// In the order in which the checks were added.
    public let results: [(name: String, health: Health)]

    /// Whether every check is well.
    public var isHealthy: Bool { results.allSatisfy { $0.health == .healthy } }

    /// 200 or 503.
    public var httpStatus: Int { isHealthy ? 200 : 503 }

    /// In the form of Kubernetes' own `?verbose`.
    public var text: String {
        var lines = results.map { result in
            switch result.health {
            case .healthy: "[+]\(result.name) ok"
            case .unhealthy(let reason): "[-]\(result.name) failed: \(reason)"
            }
        }
        lines.append(isHealthy ? "ok" : "check failed")
        return lines.joined(separator: "\n") + "\n"
    }
}

/// When a loop last went round.
public final class Heartbeat: Sendable {
    private let time: any TimeSource
    private let last: Locked<Duration>

    /// It has just gone round.
    public init(time: any TimeSource = SystemTime()) {
        self.time = time
        last = Locked(time.monotonicNow())
    }

    /// The loop went round.
    public func beat() {
        let now = time.monotonicNow()
        last.withLock { $0 = now }
    }

    /// Since the last beat.
    public var age: Duration { time.monotonicNow() - last.withLock { $0 } }
}
