import KubernetesModel

/// What was counted of a canary, over all gateways, by whoever hears them.
public struct CanaryCount: Sendable, Hashable {
    public var revision: String { tally.revision }
    /// When it became a canary.
    public let startTime: Timestamp?
    public private(set) var step: Int
    /// Since it became one.
    public private(set) var total = RevisionLoad()
    /// In this step.
    public private(set) var inStep = RevisionLoad()
    /// Every gateway has answered last time, and routes by what was wanted.
    public private(set) var isComplete = false
    private var tally: RevisionTally

    /// - Parameter before: what gateways have said last, before it got requests.
    public init(of rollout: RolloutStatus, before: [String: GatewayLoad.Model] = [:]) {
        startTime = rollout.startTime
        step = rollout.step
        tally = RevisionTally(of: rollout.revision, before: before)
    }

    /// Whether it is of this very canary.
    public func isOf(_ rollout: RolloutStatus) -> Bool {
        revision == rollout.revision && startTime == rollout.startTime
    }

    /// - Parameters:
    ///   - reports: by the uids of the gateway's pods; those of silent ones are missing.
    ///   - pods: the uids of all that may have requests.
    ///   - generation: of the traffic in which it has its share.
    public mutating func add(
        _ reports: [String: GatewayLoad.Model], of pods: [String], step: Int, generation: Int64
    ) {
        let news = tally.add(reports, of: pods, generation: generation)
        // A gateway that has begun anew has lost what it had of the step.
        if step != self.step || news.hasGap { (self.step, inStep) = (step, RevisionLoad()) }
        isComplete = news.isComplete
        total.add(news.load)
        inStep.add(news.load)
    }
}
