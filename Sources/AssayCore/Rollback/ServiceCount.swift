/// What was counted of the revision that serves, over all gateways, in the last minute.
public struct ServiceCount: Sendable, Hashable {
    /// For how long what was counted is kept, and in what parts it goes.
    static let span: Duration = .seconds(60)
    static let part: Duration = .seconds(10)

    private struct Part: Sendable, Hashable {
        var begin: Duration
        var load: RevisionLoad
    }

    public var revision: String { tally.revision }
    private var tally: RevisionTally
    /// Oldest first.
    private var parts: [Part] = []

    /// - Parameter before: what gateways have said last.
    public init(of revision: String, before: [String: GatewayLoad.Model] = [:]) {
        tally = RevisionTally(of: revision, before: before)
    }

    /// - Parameters:
    ///   - reports: by the uids of the gateway's pods; those of silent ones are missing.
    ///   - pods: the uids of all that may have requests.
    ///   - now: monotonic.
    public mutating func add(_ reports: [String: GatewayLoad.Model], of pods: [String], now: Duration) {
        let load = tally.add(reports, of: pods, generation: 0).load
        parts.removeAll { now - $0.begin >= Self.span }
        if let last = parts.indices.last, now - parts[last].begin < Self.part {
            parts[last].load.add(load)
        } else {
            parts.append(Part(begin: now, load: load))
        }
    }

    /// What it has exceeded, with the figures; nil where that is nothing, or where too little was asked to say so.
    ///
    /// Unlike a canary it is believed good: as many requests as the rules want must have come in that minute.
    public func violation(of rules: RolloutSpec.Analysis) -> String? {
        let load = parts.reduce(into: RevisionLoad()) { $0.add($1.load) }
        guard load.requests >= rules.neededRequests else { return nil }
        return CanaryAnalysis.violation(load, rules)
    }
}
