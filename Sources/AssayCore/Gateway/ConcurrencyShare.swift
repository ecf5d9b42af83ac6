import JSON

/// What one pod of the gateway may give to each replica of a model at a time, where that is bounded for all of them together.
public struct ConcurrencyShare: Sendable, Hashable {
    /// The pod's name.
    public var gateway: String
    public var limit: Int
    /// What it may still have beyond that: it had it before, and has not said that it is over.
    public var releasing: Int

    public init(gateway: String, limit: Int, releasing: Int = 0) {
        self.gateway = gateway
        self.limit = limit
        self.releasing = releasing
    }

    public init(json cursor: JSONCursor) throws(JSONShapeError) {
        gateway = try cursor["gateway"].string()
        limit = try cursor["limit"].int()
        releasing = try cursor["releasing"].optionalInt() ?? 0
    }

    public var json: JSONValue {
        var result: JSONValue = ["gateway": .string(gateway), "limit": JSONValue(limit)]
        if releasing > 0 { result["releasing"] = JSONValue(releasing) }
        return result
    }

    /// It is on the list to serve, and not only until it has nothing more.
    var isWanted: Bool { limit > 0 || releasing == 0 }
}

/// Divides what each replica of a model may have among the pods of the gateway, so that all together never exceed it.
///
/// What one is to lose another gets only after the first has said that it does without, or is gone. Of more pods than a replica
/// may have requests only so many take part.
struct ConcurrencyDivision {
    /// A pod of the gateway.
    struct Gateway {
        var name: String
        /// Users are led to it.
        var takesRequests: Bool
        /// The most that one replica has from it, or can get, by what it has said of the shares that are in force; nil where it
        /// has not.
        var reported: Int?
    }

    /// More take no part: each has a row in the status.
    static let mostGateways = 64

    let limit: Int
    /// Which of the pods come first, where not all take part.
    let rank: (String) -> String

    /// The shares that follow from those in force, and whether they are all that they are to be.
    func next(_ old: [ConcurrencyShare], among gateways: [Gateway]) -> (shares: [ConcurrencyShare], isSettled: Bool) {
        // Pods that come later are to find that they are not on the list.
        if gateways.isEmpty { return (old, true) }
        var shares = gateways.map { gateway in
            var share = old.first { $0.gateway == gateway.name } ?? ConcurrencyShare(gateway: gateway.name, limit: 0)
            if let reported = gateway.reported {
                share.releasing = min(share.releasing, max(0, reported - share.limit))
            }
            return share
        }
        let targets = targets(of: gateways, old)
        for (index, gateway) in gateways.enumerated() {
            let less = shares[index].limit - (targets[gateway.name] ?? 0)
            guard less > 0 else { continue }
            shares[index].limit -= less
            shares[index].releasing += less
        }
        var free = limit - shares.reduce(0) { $0 + $1.limit + $1.releasing }
        // Nobody has heard of a bound yet: what is under way ends in its own time.
        if old.isEmpty { free = limit }
        for (index, gateway) in gateways.enumerated() {
            let more = (targets[gateway.name] ?? 0) - shares[index].limit
            guard more > 0 else { continue }
            let own = min(more, shares[index].releasing)
            let given = min(more - own, max(0, free))
            shares[index].releasing -= own
            shares[index].limit += own + given
            free -= given
        }
        let isSettled = shares.allSatisfy { $0.releasing == 0 && $0.limit == targets[$0.gateway] ?? 0 }
        let listed = shares.filter { targets[$0.gateway] != nil || $0.limit + $0.releasing > 0 }
        return (listed.sorted { $0.gateway < $1.gateway }, isSettled)
    }

    /// What each that takes part is to have. One that users are not led to any more keeps a little, to end what it holds.
    private func targets(of gateways: [Gateway], _ old: [ConcurrencyShare]) -> [String: Int] {
        let known = Dictionary(old.map { ($0.gateway, $0) }) { first, _ in first }
        let leaving = gateways.filter { !$0.takesRequests && known[$0.name]?.limit ?? 0 > 0 }.prefix(limit)
        var result = Dictionary(leaving.map { ($0.name, 1) }) { first, _ in first }
        let ready = gateways.filter(\.takesRequests).map { (isKnown: known[$0.name] != nil, rank: rank($0.name), $0) }
        let chosen = ready.sorted { left, right in
            left.isKnown == right.isKnown ? left.rank < right.rank : left.isKnown
        }.prefix(min(limit, Self.mostGateways)).map(\.2)
        let rest = limit - leaving.count
        for (index, gateway) in chosen.enumerated() {
            result[gateway.name] = rest / chosen.count + (index < rest % chosen.count ? 1 : 0)
        }
        return result
    }
}
