import Logging
import ServiceLifecycle
import UnixSignals

extension Service {
    /// Runs until it ends. The first SIGTERM or SIGINT asks it to finish what it has begun; the second ends it at once.
    public func runUntilSignalled(logger: Logger) async throws {
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        let group = ServiceGroup(services: [self], logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            tasks.addTask {
                var count = 0
                for await signal in signals {
                    count += 1
                    logger.info("stopping", metadata: ["signal": "\(signal)", "at once": "\(count > 1)"])
                    if count > 1 { throw CancellationError() }
                    await group.triggerGracefulShutdown()
                }
            }
            defer { tasks.cancelAll() }
            do {
                try await tasks.next()
            } catch is CancellationError {
                // The second signal.
            }
        }
    }
}
