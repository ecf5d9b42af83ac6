import Concurrency
import Glibc

/// Runs a command inside a running container, for probes and hooks.
struct ContainerCommandRun: Sendable {
    private static let outputLimit = 10 << 10
    private let context: NodeContext

    init(_ context: NodeContext) { self.context = context }

    enum Outcome: Sendable, Hashable {
        case ended(ProcessEnd)
        case notStarted(String)
        case timedOut
    }

    func run(_ launch: ContainerLaunch, timeout: Duration) async -> Outcome {
        let (ends, signal) = AsyncStream.makeStream(of: ProcessEnd.self)
        let process: ContainerProcess
        do throws(ProcessStartError) {
            process = try await context.processes.start(launch, output: .capture(Self.outputLimit)) { end in
                signal.yield(end)
                signal.finish()
            }
        } catch {
            return .notStarted("\(error)")
        }
        let time = context.time
        return await withTaskGroup(of: Outcome.self) { group in
            group.addTask {
                for await end in ends { return .ended(end) }
                return .timedOut
            }
            group.addTask {
                do {
                    try await time.sleep(for: timeout)
                } catch {
                    return .timedOut
                }
                return .timedOut
            }
            let first = await group.next() ?? .timedOut
            group.cancelAll()
            if first == .timedOut { process.signal(SIGKILL) }
            return first
        }
    }
}
