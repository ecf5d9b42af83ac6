import KubernetesModel

/// What was counted of a canary, over all gateways, by whoever hears them.
///
/// It begins when somebody listens: what came before is not in it. A gateway that is not heard leaves a gap that its next answer
/// fills; one that has begun anew has lost what it had, and the step's count begins anew with it.
public struct CanaryCount: Sendable, Hashable {
    public let revision: String
    /// When it became a canary.
    public let startTime: Timestamp?
    public private(set) var step: Int
    /// Since it became one.
    public private(set) var total = RevisionLoad()
    /// In this step.
    public private(set) var inStep = RevisionLoad()
    /// Every gateway has answered last time, and routes by what was wanted.
    public private(set) var isComplete = false
    /// What each gateway had said, by the uids of their pods.
    private var last: [String: RevisionLoad] = [:]
    /// Gateways of which nobody knows what they had counted before.
    private var unknown: Set<String> = []
    private var hasBegun = false

    /// - Parameter before: what gateways have said last, before it got requests.
    public init(of rollout: RolloutStatus, before: [String: GatewayLoad.Model] = [:]) {
        revision = rollout.revision
        startTime = rollout.startTime
        step = rollout.step
        last = before.mapValues { $0.revisions[rollout.revision] ?? RevisionLoad() }
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
        if step != self.step { (self.step, inStep) = (step, RevisionLoad()) }
        isComplete = !pods.isEmpty
        for pod in pods {
            // One of a version that counts no revisions is as good as silent.
            guard let report = reports[pod], let count = report.revisions[revision] else {
                isComplete = false
                if last[pod] == nil { unknown.insert(pod) }
                continue
            }
            if report.generation < generation { isComplete = false }
            take(count, of: pod)
        }
        hasBegun = true
        last = last.filter { pods.contains($0.key) }
        unknown.formIntersection(pods)
    }

    private mutating func take(_ count: RevisionLoad, of pod: String) {
        defer { last[pod] = count }
        guard let then = last[pod] else {
            let isNew = hasBegun && unknown.remove(pod) == nil
            if isNew { note(count) }
            return
        }
        guard let more = count.since(then) else {
            inStep = RevisionLoad()
            note(count)
            return
        }
        note(more)
    }

    private mutating func note(_ count: RevisionLoad) {
        total.add(count)
        inStep.add(count)
    }
}
