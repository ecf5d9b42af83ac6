import AssayCore
import Concurrency

/// Keeps the Secret that the gateway's pods serve their load by.
actor GatewayAccessKeeper {
    /// Certificates are renewed long before they are over.
    private static let interval: Duration = .seconds(60)

    private let keeper: PushKeeper
    private let time: any TimeSource
    private var nextLook: Duration?

    init(_ keeper: PushKeeper, time: any TimeSource) {
        self.keeper = keeper
        self.time = time
    }

    /// Nil while there is none and this replica may not make it.
    func current() async throws -> GatewayAccess? {
        let now = time.monotonicNow()
        if nextLook.map({ $0 <= now }) ?? true {
            try await keeper.refresh()
            nextLook = now + Self.interval
        }
        guard let known = keeper.current, let token = known.token else {
            nextLook = nil
            return nil
        }
        return GatewayAccess(authorities: known.bundle, token: token)
    }
}
