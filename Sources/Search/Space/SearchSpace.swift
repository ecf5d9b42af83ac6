/// Every combination of values that a search may try.
public struct SearchSpace: Sendable, Hashable {
    /// In the order of the resource. It decides the order of a grid.
    public let parameters: [SearchParameter]

    /// - Throws: `SearchProblems`, all that cannot stand, with paths like `parameters[0].searchSpace.uniform.min`.
    public init(_ parameters: [SearchParameter]) throws(SearchProblems) {
        let problems = Self.problems(of: parameters)
        guard problems.isEmpty else { throw SearchProblems(problems) }
        self.parameters = parameters
    }

    /// How many combinations there are; nil for infinitely many, or more than can be counted.
    public var count: Int? {
        var product = 1
        for parameter in parameters {
            guard let count = parameter.distribution.count else { return nil }
            let (next, overflow) = product.multipliedReportingOverflow(by: count)
            guard !overflow else { return nil }
            product = next
        }
        return product
    }

    /// Whether these are values of every parameter, and of nothing else, as a suggestion writes them.
    public func contains(_ values: [String: String]) -> Bool { Geometry(self).point(values) != nil }
}

/// A space as axes. A point is a coordinate for each.
struct Geometry: Sendable {
    let names: [String]
    let axes: [Axis]

    init(_ space: SearchSpace) {
        names = space.parameters.map(\.name)
        axes = space.parameters.map { Axis($0.distribution) }
    }

    func values(_ point: [Coordinate]) -> [String: String] {
        var values: [String: String] = [:]
        for index in axes.indices { values[names[index]] = axes[index].text(point[index]) }
        return values
    }

    /// nil for values that are not of this space.
    func point(_ values: [String: String]) -> [Coordinate]? {
        guard values.count == names.count else { return nil }
        var point: [Coordinate] = []
        for index in axes.indices {
            guard let text = values[names[index]], let coordinate = axes[index].coordinate(of: text) else { return nil }
            point.append(coordinate)
        }
        return point
    }

    func randomPoint(_ random: inout SearchRandom) -> [Coordinate] {
        axes.map { $0.coordinate(at: random.unit()) }
    }
}
