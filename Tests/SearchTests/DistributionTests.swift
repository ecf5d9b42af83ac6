import Testing

@testable import Search

/// That chance is spread as it should be: with fixed seeds, at bounds that a right program misses once in a million.
@Suite struct DistributionTests {
    /// χ² of counts against equal ones is, for many cells, about normal around their number.
    private func isEven(_ counts: [Int]) -> Bool {
        let expected = Double(counts.reduce(0, +)) / Double(counts.count)
        let sum = counts.reduce(0) { $0 + (Double($1) - expected) * (Double($1) - expected) / expected }
        let freedom = Double(counts.count - 1)
        return sum < freedom + 5 * (2 * freedom).squareRoot() + 10
    }

    private func counts(_ distribution: Distribution, cells: Int, cell: (String) -> Int?) throws -> [Int] {
        let settings = try Samples.settings([SearchParameter("p", distribution)], .random)
        var counts = Array(repeating: 0, count: cells)
        for number in 0..<8_000 {
            let text = try #require(settings.suggestion(number: number, trials: [])?.values["p"])
            counts[try #require(cell(text))] += 1
        }
        return counts
    }

    @Test func randomValuesAreEvenOnTheirScale() throws {
        #expect(isEven(try counts(.uniform(min: -1, max: 3), cells: 20) { Double($0).map { Int(($0 + 1) * 5) } }))
        #expect(
            isEven(
                try counts(.logUniform(min: 1e-6, max: 1), cells: 12) {
                    Double($0).map { min(11, Int((StableMath.ln($0) / StableMath.ln(10) + 6) * 2)) }
                }))
        #expect(isEven(try counts(.integer(min: 1, max: 19, step: 2), cells: 10) { Int($0).map { $0 / 2 } }))
        #expect(isEven(try counts(.categorical(["a", "b", "c"]), cells: 3) { ["a", "b", "c"].firstIndex(of: $0) }))
        let octaves = try counts(.logInteger(min: 1, max: 1_023), cells: 10) {
            Int($0).map { 63 - $0.leadingZeroBitCount }
        }
        #expect(octaves[2...].allSatisfy { (600...1_000).contains($0) }, "\(octaves)")
    }

    @Test func theFirstTrialsOfTPEArePartsOfEachAxis() throws {
        let settings = try Samples.settings([
            SearchParameter("x", .uniform(min: 0, max: 10)), SearchParameter("y", .uniform(min: 0, max: 10)),
        ])
        let first = (0..<10).compactMap { settings.suggestion(number: $0, trials: [])?.values }
        for name in ["x", "y"] {
            #expect(Set(first.compactMap { $0[name].flatMap(Double.init).map { Int($0) } }).count == 10)
        }
    }

    /// The density of a mixture sums up to 1, whatever its kernels are.
    @Test func aMixtureIsADensity() {
        let axes = [
            Axis(.uniform(min: 0, max: 1)), Axis(.integer(min: 1, max: 5)), Axis(.logInteger(min: 1, max: 9)),
            Axis(.categorical(["a", "b", "c"])),
        ]
        var random = SearchRandom(seed: 11, stream: 0, use: .values)
        for count in [0, 1, 2, 9] {
            let points = (0..<count).map { _ in axes.map { $0.coordinate(at: random.unit()) } }
            for spread in [ParzenMixture.CategorySpread.byCount, .share(0.4)] {
                let mixture = ParzenMixture(points, axes, spread: spread, leastPower: 1.2)
                var grid: [[Coordinate]] = []
                for x in 0..<200 {
                    for i in 0..<5 {
                        for j in 0..<9 {
                            for k in 0..<3 {
                                grid.append([
                                    Coordinate(position: (Double(x) + 0.5) / 200), axes[1].coordinate(index: i),
                                    axes[2].coordinate(index: j), axes[3].coordinate(index: k),
                                ])
                            }
                        }
                    }
                }
                let sum = mixture.logDensities(grid).reduce(0) { $0 + StableMath.exp($1) } / 200
                #expect(abs(sum - 1) < 1e-3, "\(count): \(sum)")
            }
        }
    }

    /// Where neighbours are hardly told apart as doubles, the near are still likelier than the far.
    @Test(arguments: [Distribution.integer(min: 0, max: 1 << 53), .logInteger(min: 1, max: 1 << 53)])
    func aMixtureOfVeryManyWholeNumbersIsADensityToo(_ distribution: Distribution) {
        let axis = Axis(distribution)
        let mixture = ParzenMixture([[axis.coordinate(at: 0.5)]], [axis], spread: .byCount, leastPower: 4)
        let densities = mixture.logDensities([0.5, 0.501, 0.51, 0.6, 1].map { [axis.coordinate(at: $0)] })
        #expect(densities.allSatisfy { $0.isFinite })
        #expect(densities == densities.sorted(by: >) && Set(densities.prefix(3)).count == 3)
    }

    /// Points of a mixture come as often as its density says.
    @Test func aMixtureIsDrawnFromAsItsDensitySays() {
        let axes = [Axis(.integer(min: 1, max: 6)), Axis(.categorical(["a", "b", "c"]))]
        let points = [
            [axes[0].coordinate(index: 1), axes[1].coordinate(index: 2)],
            [axes[0].coordinate(index: 5), axes[1].coordinate(index: 0)],
        ]
        let mixture = ParzenMixture(points, axes, spread: .share(0.4), leastPower: 1.2)
        var random = SearchRandom(seed: 12, stream: 0, use: .values)
        var counts: [[Coordinate]: Int] = [:]
        for _ in 0..<20_000 { counts[mixture.point(axes, crossing: false, &random), default: 0] += 1 }
        let cells = (0..<18).map { [axes[0].coordinate(index: $0 / 3), axes[1].coordinate(index: $0 % 3)] }
        let chi = zip(cells, mixture.logDensities(cells)).reduce(0.0) { sum, cell in
            let expected = 20_000 * StableMath.exp(cell.1)
            let difference = Double(counts[cell.0, default: 0]) - expected
            return sum + difference * difference / expected
        }
        #expect(chi < 60, "17 degrees of freedom")
    }
}
