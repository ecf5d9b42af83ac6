/// What comes new of one revision, from counts that each gateway has kept since it began.
///
/// It begins when somebody listens: what came before is not in it. A gateway that is not heard leaves a gap that its next answer
/// fills.
struct RevisionTally: Sendable, Hashable {
    /// What one round of answers has brought.
    struct News: Sendable, Hashable {
        var load = RevisionLoad()
        /// Every gateway has answered, and routes by what was wanted.
        var isComplete: Bool
        /// A gateway has begun anew, and lost what it had counted since its last answer.
        var hasGap = false
    }

    let revision: String
    /// What each gateway had said, by the uids of their pods.
    private var last: [String: RevisionLoad]
    /// Gateways of which nobody knows what they had counted before.
    private var unknown: Set<String> = []
    private var hasBegun = false

    /// - Parameter before: what gateways have said last, before they were listened to for this.
    init(of revision: String, before: [String: GatewayLoad.Model]) {
        self.revision = revision
        last = before.mapValues { $0.revisions[revision] ?? RevisionLoad() }
    }

    /// - Parameters:
    ///   - reports: by the uids of the gateway's pods; those of silent ones are missing.
    ///   - pods: the uids of all that may have requests.
    ///   - generation: of the traffic in which it has its share.
    mutating func add(_ reports: [String: GatewayLoad.Model], of pods: [String], generation: Int64) -> News {
        var news = News(isComplete: !pods.isEmpty)
        for pod in pods {
            // One of a version that counts no revisions is as good as silent.
            guard let report = reports[pod], let count = report.revisions[revision] else {
                news.isComplete = false
                if last[pod] == nil { unknown.insert(pod) }
                continue
            }
            if report.generation < generation { news.isComplete = false }
            take(count, of: pod, into: &news)
        }
        hasBegun = true
        last = last.filter { pods.contains($0.key) }
        unknown.formIntersection(pods)
        return news
    }

    private mutating func take(_ count: RevisionLoad, of pod: String, into news: inout News) {
        defer { last[pod] = count }
        guard let then = last[pod] else {
            let isNew = hasBegun && unknown.remove(pod) == nil
            if isNew { news.load.add(count) }
            return
        }
        if let more = count.since(then) {
            news.load.add(more)
        } else {
            news.hasGap = true
            news.load.add(count)
        }
    }
}
