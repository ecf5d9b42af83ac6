/// How many replicas a model needs, by what was measured of it: in a long window, or in a short one where the load rises so fast
/// that the long one would answer too late.
///
/// Rates and windows are those of Knative's autoscaler (knative.dev/docs, "Autoscaling concepts").
public struct Autoscaler: Sendable, Hashable {
    public static let stableWindow: Duration = .seconds(60)
    public static let panicWindow: Duration = .seconds(6)
    /// Of what a replica has at most, this part is aimed at.
    static let utilization = 0.7
    /// How many times as many as are ready must be needed for a panic.
    static let panicThreshold = 2.0
    /// By how much at most in one step.
    static let maxScaleUp = 1000.0
    static let maxScaleDown = 2.0

    /// What was measured, in the unit of the target.
    public struct Load: Sendable, Hashable {
        public var stable: Double
        public var panic: Double
        /// How long it was measured, up to the long window.
        public var span: Duration
        /// Every gateway was heard.
        public var isComplete: Bool

        public init(stable: Double, panic: Double, span: Duration, isComplete: Bool) {
            self.stable = stable
            self.panic = panic
            self.span = span
            self.isComplete = isComplete
        }
    }

    /// Until when it lasts, unless it is prolonged; by the monotonic clock.
    private var panicEnd: Duration?
    private var mostInPanic = 0

    public init() {}

    public var isPanicking: Bool { panicEnd != nil }

    /// What one replica is to have. Never more than it may, as in Knative.
    static func target(_ rules: Autoscaling, limit: Int?) -> Double {
        guard let limit, rules.metric ?? .concurrency == .concurrency else {
            return rules.target ?? Autoscaling.defaultTarget
        }
        return min(rules.target ?? Double(limit), Double(limit))
    }

    /// - Parameters:
    ///   - limit: how many requests a replica has at most at a time; nil for as many as come.
    ///   - ready: replicas that answer.
    ///   - current: replicas that are asked for.
    ///   - now: by the monotonic clock.
    public mutating func desired(
        _ load: Load, by rules: Autoscaling, limit: Int? = nil, ready: Int, current: Int, now: Duration
    ) -> Int {
        let target = max(0.01, Self.target(rules, limit: limit) * Self.utilization)
        let base = Double(max(1, ready))
        func bounded(_ value: Double) -> Int {
            let wanted = (value / target).rounded(.up)
            return Int(
                min(max(wanted, (base / Self.maxScaleDown).rounded(.down)), (base * Self.maxScaleUp).rounded(.up), 1e6))
        }
        let (stable, panic) = (bounded(load.stable), bounded(load.panic))
        if (load.panic / target).rounded(.up) / base >= Self.panicThreshold {
            if panicEnd == nil { mostInPanic = 0 }
            panicEnd = now + Self.stableWindow
        } else if let end = panicEnd, now > end {
            panicEnd = nil
        }
        var wanted = stable
        if panicEnd != nil {
            mostInPanic = max(mostInPanic, panic, stable, current)
            wanted = mostInPanic
        }
        // What was not measured may be load.
        if !load.isComplete || load.span < Self.stableWindow { wanted = max(wanted, current) }
        return min(max(wanted, max(1, rules.least)), max(1, rules.maxReplicas))
    }
}
