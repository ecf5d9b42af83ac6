import Concurrency
import ControllerRuntime

/// Runs jobs on the thread that calls ``runReady()``, in an order that a seed gives.
///
/// Tasks that are started with it as their preference stay on it: their groups, `async let`, default actors and streams
/// too. An unstructured task would escape, so the sources have none.
final class SeededExecutor: TaskExecutor {
    private struct State {
        var jobs: [UnownedJob] = []
        var random: SeededGenerator
        var steps = 0
    }

    private let state: Locked<State>

    init(seed: UInt64) { state = Locked(State(random: SeededGenerator(seed: seed))) }

    /// How many jobs were run.
    var steps: Int { state.withLock { $0.steps } }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        state.withLock { $0.jobs.append(job) }
    }

    /// Runs what is ready, and what that makes ready, until everything waits.
    func runReady() {
        while let job = take() { job.runSynchronously(on: asUnownedTaskExecutor()) }
    }

    private func take() -> UnownedJob? {
        state.withLock { state in
            guard !state.jobs.isEmpty else { return nil }
            state.steps += 1
            if state.jobs.count > 1 {
                let index = Int(state.random.next() % UInt64(state.jobs.count))
                state.jobs.swapAt(index, state.jobs.count - 1)
            }
            return state.jobs.removeLast()
        }
    }
}
