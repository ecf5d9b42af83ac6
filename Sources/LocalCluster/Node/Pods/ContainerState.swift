import KubernetesModel

/// How a container ended.
struct Termination: Sendable, Hashable {
    var exitCode: Int
    /// `Completed`, `Error`, `OOMKilled`, `StartError`, …
    var reason: String
    var message = ""
    /// Nil where it never ran.
    var startedAt: Timestamp?
    var finishedAt: Timestamp
    var containerID: String
}

/// What a node knows of one container of a pod.
struct ContainerState: Sendable, Hashable {
    struct Running: Sendable, Hashable {
        var containerID: String
        var startedAt: Timestamp
        /// The same moment on the monotonic clock.
        var since: Duration
    }

    struct Waiting: Sendable, Hashable {
        var reason: String
        var message = ""
    }

    struct Stopping: Sendable, Hashable {
        /// When it is killed if it still runs.
        var deadline: Duration
        var isKilled = false
    }

    var running: Running?
    /// How the current instance ended; nil while it runs and before the first.
    var terminated: Termination?
    /// How the instance before ended.
    var previous: Termination?
    /// Why it does not run, where neither of the above says so.
    var waiting: Waiting?
    var stopping: Stopping?
    var restartCount = 0
    var imageID = ""
    /// Ends in a row without a long enough run between them.
    var crashes = 0
    /// Failed pulls in a row.
    var pullFailures = 0
    /// Not tried before this moment.
    var nextAttempt: Duration?
    /// The wait that the last end led to, in words (`40s`); nil for none.
    var restartDelay: String?
    var probes: [ContainerProbe.Kind: ProbeHistory] = [:]

    /// Whether it runs and its startup probe, if any, has passed.
    func isStarted(_ container: NodeContainer) -> Bool {
        guard running != nil else { return false }
        return container.probes[.startup] == nil || probes[.startup]?.isPassing == true
    }

    /// Whether it counts as ready: a finished init container, or one that is started and whose readiness probe, if any,
    /// passes.
    func isReady(_ container: NodeContainer) -> Bool {
        if container.role == .initial { return terminated?.exitCode == 0 }
        guard isStarted(container), stopping == nil else { return false }
        return container.probes[.readiness] == nil || probes[.readiness]?.isPassing == true
    }

    mutating func noteStarted(containerID: String, imageID: String, at wall: Timestamp, now: Duration) {
        running = Running(containerID: containerID, startedAt: wall, since: now)
        if terminated != nil {
            previous = terminated
            terminated = nil
            restartCount += 1
        }
        self.imageID = imageID
        waiting = nil
        stopping = nil
        nextAttempt = nil
        pullFailures = 0
        probes = [:]
    }

    /// - Parameter willRestart: whether the pod's policy starts it again.
    mutating func noteEnded(_ end: Termination, willRestart: Bool, now: Duration, backoff: RestartBackoff) {
        if terminated != nil {
            // It never ran this time: the end before becomes the last one, as for one that ran.
            previous = terminated
            restartCount += 1
        }
        let ran = running.map { now - $0.since } ?? .zero
        running = nil
        stopping = nil
        waiting = nil
        probes = [:]
        terminated = end
        restartDelay = nil
        guard willRestart else { return }
        if ran >= backoff.forgetAfter { crashes = 0 }
        let delay = backoff.delay(after: crashes)
        nextAttempt = now + delay
        restartDelay = delay > .zero ? Self.words(delay) : nil
        crashes += 1
    }

    private static func words(_ delay: Duration) -> String {
        let (seconds, attoseconds) = delay.components
        if seconds == 0 { return "\(attoseconds / 1_000_000_000_000_000)ms" }
        return seconds < 60 ? "\(seconds)s" : "\(seconds / 60)m\(seconds % 60)s"
    }

    mutating func noteNotPulled(_ error: ImageError, now: Duration, backoff: RestartBackoff) {
        waiting = Waiting(reason: error.reason.rawValue, message: error.message)
        pullFailures += 1
        nextAttempt = now + max(backoff.delay(after: pullFailures), .milliseconds(100))
    }

    mutating func noteNotConfigured(_ message: String, now: Duration) {
        waiting = Waiting(reason: "CreateContainerConfigError", message: message)
        nextAttempt = now + .seconds(2)
    }
}

/// How long a container that ended waits before it is started again: not at all the first time, then `base`, doubled
/// each time up to `limit`.
public struct RestartBackoff: Sendable, Hashable {
    public var base: Duration
    public var limit: Duration
    /// A run of this length makes the next end the first one.
    public var forgetAfter: Duration

    public init(base: Duration = .seconds(10), limit: Duration = .seconds(300), forgetAfter: Duration = .seconds(600)) {
        self.base = base
        self.limit = limit
        self.forgetAfter = forgetAfter
    }

    func delay(after failures: Int) -> Duration {
        if failures <= 0 { return .zero }
        return failures > 20 ? limit : min(limit, base * (1 << (failures - 1)))
    }
}
