/// Chooses among weighted alternatives so evenly that after any number of choices each has had its part to within one
/// choice (smooth weighted round robin, as nginx does it).
///
/// With weights w and their sum W, an alternative that was chosen c times in n choices has |c − n·w/W| < 1 for two
/// alternatives, which is the canary's case.
public struct WeightedRotation: Sendable, Hashable {
    private var weights: [Int]
    private var currents: [Int]

    /// - Parameter weights: 0 or more each; those with 0 are never chosen.
    public init(_ weights: [Int]) {
        self.weights = weights
        currents = weights.map { _ in 0 }
    }

    /// The weights it was made with.
    public var parts: [Int] { weights }

    /// The next alternative's index; nil where none may be chosen.
    ///
    /// - Parameter isAllowed: whether an alternative can be chosen now. Those that cannot lose nothing: what they are due is
    ///   shared by the others.
    public mutating func next(where isAllowed: (Int) -> Bool = { _ in true }) -> Int? {
        var total = 0
        var best: Int?
        for index in weights.indices where weights[index] > 0 && isAllowed(index) {
            currents[index] += weights[index]
            total += weights[index]
            if best.map({ currents[$0] < currents[index] }) ?? true { best = index }
        }
        guard let best else { return nil }
        currents[best] -= total
        return best
    }
}
