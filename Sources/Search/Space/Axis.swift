/// Where a value lies on its axis.
struct Coordinate: Sendable, Hashable {
    /// From 0 to 1; the middle of its cell where there are finitely many; 0 among categories.
    var position: Double
    /// Which of them, where there are finitely many.
    var index: Int = 0
}

/// A parameter's values stretched to 0...1, so that equal lengths are equally likely.
struct Axis: Sendable {
    enum Kind: Sendable {
        case continuous
        /// Finitely many, in an order.
        case ordered(Int)
        case categories(Int)
    }

    let kind: Kind
    private let distribution: Distribution
    /// The ends of the logarithmic scale, half a number beyond the first and the last where these are whole.
    private let low: Double
    private let high: Double

    /// - Parameter distribution: a valid one.
    init(_ distribution: Distribution) {
        self.distribution = distribution
        switch distribution {
        case .uniform(let min, let max, nil):
            (low, high, kind) = (min, max, .continuous)
        case .logUniform(let min, let max):
            (low, high, kind) = (StableMath.ln(min), StableMath.ln(max), .continuous)
        case .logInteger(let min, let max):
            (low, high) = (StableMath.ln(Double(min) - 0.5), StableMath.ln(Double(max) + 0.5))
            kind = .ordered(max - min + 1)
        case .uniform, .integer:
            (low, high, kind) = (0, 1, .ordered(distribution.count ?? 1))
        case .categorical(let choices):
            (low, high, kind) = (0, 1, .categories(choices.count))
        }
    }

    /// The value at a position.
    func coordinate(at position: Double) -> Coordinate {
        switch kind {
        case .continuous: Coordinate(position: position)
        case .categories(let count): coordinate(index: min(Int(position * Double(count)), count - 1))
        case .ordered(let count):
            if case .logInteger(let first, _) = distribution {
                cell(Int((value(position) + 0.5).rounded(.down)) - first, of: count)
            } else {
                cell(Int(position * Double(count)), of: count)
            }
        }
    }

    private func cell(_ index: Int, of count: Int) -> Coordinate {
        let index = min(max(index, 0), count - 1)
        let cell = cell(index)
        return Coordinate(position: (cell.low + cell.high) / 2, index: index)
    }

    /// The value of a place in the order of values.
    func coordinate(index: Int) -> Coordinate {
        if case .ordered(let count) = kind { cell(index, of: count) } else { Coordinate(position: 0, index: index) }
    }

    /// The part of the axis that is taken for one of finitely many.
    func cell(_ index: Int) -> (low: Double, high: Double) {
        guard case .ordered(let count) = kind else { return (0, 1) }
        if case .logInteger(let first, _) = distribution {
            return (position(Double(first + index) - 0.5), position(Double(first + index) + 0.5))
        }
        return (Double(index) / Double(count), Double(index + 1) / Double(count))
    }

    private func value(_ position: Double) -> Double { StableMath.exp(low + position * (high - low)) }

    private func position(_ value: Double) -> Double { (StableMath.ln(value) - low) / (high - low) }

    /// The value as a training gets it.
    func text(_ coordinate: Coordinate) -> String {
        switch distribution {
        case .uniform(let min, let max, nil):
            Self.text(min + coordinate.position * (max - min), min, max)
        case .uniform(let min, let max, let step?):
            Self.text(min + Double(coordinate.index) * step, min, max)
        case .logUniform(let min, let max):
            Self.text(value(coordinate.position), min, max)
        case .integer(let min, _, let step): String(min + coordinate.index * step)
        case .logInteger(let min, _): String(min + coordinate.index)
        case .categorical(let choices): choices[coordinate.index]
        }
    }

    private static func text(_ value: Double, _ min: Double, _ max: Double) -> String {
        Swift.min(Swift.max(NumberText.rounded(value), min), max).description
    }

    /// Where that value lies; nil for one that is not of this axis.
    func coordinate(of text: String) -> Coordinate? {
        switch distribution {
        case .uniform(let min, let max, nil):
            guard let value = NumberText.parse(text), value >= min, value <= max else { return nil }
            return Coordinate(position: (value - min) / (max - min))
        case .logUniform(let min, let max):
            guard let value = NumberText.parse(text), value >= min, value <= max else { return nil }
            return Coordinate(position: Swift.min(Swift.max(position(value), 0), 1))
        case .uniform(let min, _, let step?):
            guard let value = NumberText.parse(text), case .ordered(let count) = kind else { return nil }
            let place = ((value - min) / step).rounded()
            guard place >= 0, place < Double(count) else { return nil }
            let found = coordinate(index: Int(place))
            return self.text(found) == value.description ? found : nil
        case .integer(let min, let max, let step):
            guard let value = Int(text), (min...max).contains(value), (value - min) % step == 0 else { return nil }
            return coordinate(index: (value - min) / step)
        case .logInteger(let min, let max):
            guard let value = Int(text), (min...max).contains(value) else { return nil }
            return coordinate(index: value - min)
        case .categorical(let choices):
            return choices.firstIndex(of: text).map { coordinate(index: $0) }
        }
    }
}
