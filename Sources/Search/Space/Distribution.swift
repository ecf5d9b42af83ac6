/// Where the values of a parameter come from: `searchSpace` of the OptimizationJob API.
public enum Distribution: Sendable, Hashable {
    /// Every number from `min` to `max` is as likely as another; with a step, every number of `min`, `min + step`, … up to `max`.
    case uniform(min: Double, max: Double, step: Double? = nil)
    /// Every order of magnitude is as likely as another.
    case logUniform(min: Double, max: Double)
    /// `uniform` of `type: Int`: `min`, `min + step`, … up to `max`.
    case integer(min: Int, max: Int, step: Int = 1)
    /// `logUniform` of `type: Int`: every whole number from `min` to `max`, the smaller ones being likelier.
    case logInteger(min: Int, max: Int)
    /// One of these, in no order.
    case categorical([String])

    /// How many values there are; nil for those that no list could hold.
    public var count: Int? {
        switch self {
        case .uniform(_, _, nil), .logUniform: nil
        case .uniform(let min, let max, let step?):
            Int(exactly: Self.steps(min, max, step).rounded(.down)).map { $0 + 1 }
        case .integer(let min, let max, let step): (max - min) / step + 1
        case .logInteger(let min, let max): max - min + 1
        case .categorical(let choices): choices.count
        }
    }

    /// With what the division of decimals loses: 0.3 is three steps of 0.1.
    static func steps(_ min: Double, _ max: Double, _ step: Double) -> Double { (max - min) / step + 1e-9 }
}

/// A parameter that is searched for.
public struct SearchParameter: Sendable, Hashable {
    /// As the training knows it.
    public var name: String
    public var distribution: Distribution

    public init(_ name: String, _ distribution: Distribution) {
        self.name = name
        self.distribution = distribution
    }
}
