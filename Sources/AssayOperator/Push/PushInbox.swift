import AssayCore
import Concurrency
import ControllerRuntime
import KubernetesModel

/// What pods have pushed, for the trainings that run. It may be lost with the process: the status has it from a few seconds
/// ago, and goes on from there.
final class PushInbox: Sendable {
    private struct Training {
        /// By the uids of the attempts' Jobs.
        var pushes: [String: PushedProgress] = [:]
        /// When the training's status is, or was, looked at for these.
        var wakeAt: Duration?

        mutating func take(
            _ body: PushBody, of subject: PushSubject, told: PushedProgress?, now: Duration, wall: Timestamp
        ) -> Duration? {
            pushes[subject.jobUID, default: PushInbox.begin(subject, told: told, wall: wall)].take(body, now: wall)
            guard let last = wakeAt else {
                wakeAt = now
                return .zero
            }
            guard last <= now else { return nil }
            let next = max(now, last + StatusWrite.progressInterval)
            wakeAt = next
            return next - now
        }
    }

    private struct State {
        var trainings: [String: Training] = [:]
        var buckets: [String: TokenBucket] = [:]
        var mostBucketsAfterSweep = 0
    }

    private static let burst = 20
    private static let interval: Duration = .seconds(1)

    private let state = Locked(State())

    /// How many trainings are remembered.
    var count: Int { state.withLock { $0.trainings.count } }
    /// How many pods' paces are remembered.
    var paceCount: Int { state.withLock { $0.buckets.count } }

    /// Throws where a pod pushes too often.
    func admit(_ podUID: String, now: Duration) throws(PushRefusal) {
        let wait = state.withLock { state -> Duration? in
            var bucket =
                state.buckets[podUID] ?? TokenBucket(size: Self.burst, interval: Self.interval, now: now)
            let wait = bucket.take(now: now)
            state.buckets[podUID] = bucket
            // A full one is as good as none. Doubling between two sweeps makes each push pay for at most two.
            if state.buckets.count > 2 * state.mostBucketsAfterSweep + 64 {
                state.buckets = state.buckets.filter { !$0.value.isFull(now: now) }
                state.mostBucketsAfterSweep = state.buckets.count
            }
            return wait
        }
        if let wait { throw .tooMany(retryAfter: wait) }
    }

    /// Takes in a push.
    /// - Parameter told: what the status has, which another replica may have written.
    /// - Returns: when to look at the training; nil where that is arranged already.
    func take(
        _ body: PushBody, of subject: PushSubject, told: PushedProgress?, now: Duration, wall: Timestamp
    ) -> Duration? {
        state.withLock { state in
            // In their places, for a copy would be one of all their points.
            state.trainings[subject.trainingJobUID, default: Training()]
                .take(body, of: subject, told: told, now: now, wall: wall)
        }
    }

    fileprivate static func begin(_ subject: PushSubject, told: PushedProgress?, wall: Timestamp) -> PushedProgress {
        if let told, told.step == subject.step, told.attempt == subject.attempt { return told }
        return PushedProgress(step: subject.step, attempt: subject.attempt, now: wall)
    }

    /// In an order that does not change.
    func pushes(of trainingJobUID: String) -> [PushedProgress] {
        let found = state.withLock { $0.trainings[trainingJobUID]?.pushes ?? [:] }
        return found.sorted { $0.key < $1.key }.map(\.value)
    }

    /// Forgets what is over, for its status has the last of it.
    func follow(_ trainingJobs: Store<TrainingJob>) {
        trainingJobs.subscribe { [self] change in
            switch change {
            case .deleted(let object): forget(object)
            case .modified(_, let object) where object.status.value?.isFinished == true: forget(object)
            default: break
            }
        }
    }

    private func forget(_ training: TrainingJob) {
        _ = state.withLock { $0.trainings.removeValue(forKey: training.metadata.uid) }
    }
}
