/// A density over points: one kernel around each point that it was made of, and one over the whole space, all of equal weight.
///
/// Numbers have normal kernels, cut off at the ends of their axis; where there are finitely many, a kernel's mass in a value's cell is
/// the value's probability. A category has the probability that `spread` says.
struct ParzenMixture: Sendable {
    /// How much of a kernel's weight a category shares with all of its axis.
    enum CategorySpread {
        /// A fixed part.
        case share(Double)
        /// What one observation among so many would be: the more there are, the less.
        case byCount
    }

    private enum Part {
        case continuous(means: [Double], deviations: [Double])
        case ordered(Axis, means: [Double], deviations: [Double], logMasses: [Double])
        case categories(count: Int, chosen: [Int], share: Double)
    }

    /// The kernels; the last is that of the whole space.
    private let count: Int
    private var parts: [Part] = []
    /// The logarithm of each kernel's weight, and of all factors of its density that do not depend on where.
    private var constants: [Double]

    /// - Parameters:
    ///   - points: of the axes.
    ///   - leastPower: how fast kernels may become narrow as there are more points.
    init(_ points: [[Coordinate]], _ axes: [Axis], spread: CategorySpread, leastPower: Double) {
        count = points.count + 1
        constants = Array(repeating: -StableMath.ln(Double(count)), count: count)
        for (place, axis) in axes.enumerated() {
            if case .categories(let categories) = axis.kind {
                let chosen = points.map { $0[place].index }
                parts.append(.categories(count: categories, chosen: chosen, share: spread.share(categories, count)))
                continue
            }
            let positions = points.map { $0[place].position }
            let means = positions + [0.5]
            let deviations = Self.deviations(positions, leastPower: leastPower) + [1]
            let masses = zip(means, deviations).map { mean, deviation in
                StableMath.ln(StableMath.normalMass(-mean / deviation, (1 - mean) / deviation))
            }
            if case .continuous = axis.kind {
                for kernel in 0..<count {
                    constants[kernel] -= masses[kernel] + StableMath.ln(deviations[kernel]) + Self.halfLogOfTwoPi
                }
                parts.append(.continuous(means: means, deviations: deviations))
            } else {
                parts.append(.ordered(axis, means: means, deviations: deviations, logMasses: masses))
            }
        }
    }

    private static let halfLogOfTwoPi = 0.918_938_533_204_672_7

    /// As far as to the further neighbour (Bergstra et al. 2011), but no less than what the number of points allows: the magic
    /// clip of hyperopt and Optuna, with a power.
    private static func deviations(_ positions: [Double], leastPower: Double) -> [Double] {
        let count = positions.count
        let least = StableMath.exp(-leastPower * StableMath.ln(min(100, Double(count + 2))))
        let order = positions.indices.sorted { (positions[$0], $0) < (positions[$1], $1) }
        var deviations = Array(repeating: 1.0, count: count)
        guard count > 1 else { return deviations }
        for (place, index) in order.enumerated() {
            let before = place > 0 ? positions[index] - positions[order[place - 1]] : 0
            let after = place + 1 < count ? positions[order[place + 1]] - positions[index] : 0
            deviations[index] = min(max(before, after, least), 1)
        }
        return deviations
    }

    /// A point by chance.
    /// - Parameter crossing: each coordinate is of a kernel of its own, so that combinations come up that no point had.
    func point(_ axes: [Axis], crossing: Bool, _ random: inout SearchRandom) -> [Coordinate] {
        var kernel = random.below(count)
        var point: [Coordinate] = []
        for (axis, part) in zip(axes, parts) {
            if crossing { kernel = random.below(count) }
            switch part {
            case .continuous(let means, let deviations), .ordered(_, let means, let deviations, _):
                point.append(axis.coordinate(at: random.normal(mean: means[kernel], deviation: deviations[kernel])))
            case .categories(let categories, let chosen, let share):
                let isChosen = random.unit() >= share
                let any = random.below(categories)
                point.append(axis.coordinate(index: isChosen && kernel < chosen.count ? chosen[kernel] : any))
            }
        }
        return point
    }

    /// The logarithm of the density at each point.
    func logDensities(_ points: [[Coordinate]]) -> [Double] {
        var rows = Array(repeating: constants, count: points.count)
        for (place, part) in parts.enumerated() { add(part, at: place, of: points, to: &rows) }
        return rows.map { row in
            let most = row.reduce(-Double.infinity, max)
            return most + StableMath.ln(row.reduce(0) { $0 + StableMath.exp($1 - most) })
        }
    }

    /// The logarithm of a normal variable's probability of being in a cell.
    private static func logMass(_ cell: (low: Double, high: Double), mean: Double, deviation: Double) -> Double {
        // Of millions of values neighbours may not be told apart as doubles.
        let width = max(cell.high - cell.low, 1e-16) / deviation
        guard width < 1e-4 else {
            return StableMath.ln(StableMath.normalMass((cell.low - mean) / deviation, (cell.high - mean) / deviation))
        }
        // So narrow that the density does not change in it, and that a difference of tails would lose its digits.
        let middle = ((cell.low + cell.high) / 2 - mean) / deviation
        return StableMath.ln(width) - 0.5 * middle * middle - halfLogOfTwoPi
    }

    private func add(_ part: Part, at place: Int, of points: [[Coordinate]], to rows: inout [[Double]]) {
        switch part {
        case .continuous(let means, let deviations):
            let inverses = deviations.map { 1 / $0 }
            for (row, point) in points.enumerated() {
                let position = point[place].position
                for kernel in 0..<count {
                    let distance = (position - means[kernel]) * inverses[kernel]
                    rows[row][kernel] -= 0.5 * distance * distance
                }
            }
        case .ordered(let axis, let means, let deviations, let logMasses):
            for (index, rowsOfIndex) in Dictionary(grouping: points.indices, by: { points[$0][place].index }) {
                let cell = axis.cell(index)
                for kernel in 0..<count {
                    let mass = Self.logMass(cell, mean: means[kernel], deviation: deviations[kernel])
                    let logarithm = mass - logMasses[kernel]
                    for row in rowsOfIndex { rows[row][kernel] += logarithm }
                }
            }
        case .categories(let categories, let chosen, let share):
            let even = StableMath.ln(1 / Double(categories))
            let other = StableMath.ln(share / Double(categories))
            let same = StableMath.ln(1 - share + share / Double(categories))
            for (row, point) in points.enumerated() {
                for kernel in chosen.indices {
                    rows[row][kernel] += chosen[kernel] == point[place].index ? same : other
                }
                rows[row][count - 1] += even
            }
        }
    }
}

extension ParzenMixture.CategorySpread {
    fileprivate func share(_ categories: Int, _ kernels: Int) -> Double {
        switch self {
        case .share(let share): share
        // The categories have 1/kernels each beside the 1 of the chosen one.
        case .byCount: Double(categories) / Double(categories + kernels)
        }
    }
}
