/// The order in which the parts of one copy of an operator begin and end.
///
/// Watches and the like begin at once, so that a standby's caches are warm. Work begins with leadership, where that is asked for. On the
/// order to stop the controllers end first; then the events that wait are sent; then the lease is given back, which was
/// renewed until then; then the watches end.
public struct Replica: Sendable {
    /// Keep the caches, for example; they run until they are cancelled.
    public var background: [@Sendable () async -> Void]
    /// Work while this replica leads.
    public var controllers: [Controller]
    /// Sends what they record.
    public var events: EventRecorder
    /// Nil where no other replica can be.
    public var elector: LeaderElector?

    /// By its parts.
    public init(
        background: [@Sendable () async -> Void], controllers: [Controller], events: EventRecorder,
        elector: LeaderElector? = nil
    ) {
        self.background = background
        self.controllers = controllers
        self.events = events
        self.elector = elector
    }

    /// Runs until a graceful shutdown or until the task is cancelled. Throws ``LeadershipLost``.
    public func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for body in background { group.addTask { await body() } }
            defer { group.cancelAll() }
            guard let elector else { return await work() }
            try await elector.run { await work() }
        }
    }

    private func work() async {
        await withTaskGroup(of: Void.self) { recording in
            recording.addTask { await events.run() }
            await withTaskGroup(of: Void.self) { working in
                for controller in controllers { working.addTask { await controller.run() } }
            }
            events.stop()
            await recording.waitForAll()
        }
    }
}
