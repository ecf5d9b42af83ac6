import Testing

@testable import Search

@Suite struct SearchSpaceTests {
    private func problems(_ distribution: Distribution) -> [String] {
        do {
            _ = try SearchSpace([SearchParameter("p", distribution)])
            return []
        } catch {
            return error.problems.map(\.path)
        }
    }

    @Test func whatCannotStandIsNamedByItsField() {
        let path = "parameters[0].searchSpace"
        #expect(problems(.uniform(min: 1, max: 1)) == ["\(path).uniform.max"])
        #expect(problems(.uniform(min: .nan, max: .infinity)) == ["\(path).uniform.min", "\(path).uniform.max"])
        #expect(problems(.uniform(min: -1e308, max: 1e308)) == ["\(path).uniform.max"])
        #expect(problems(.uniform(min: 1, max: 1 + 1e-10)) == ["\(path).uniform.max"])
        #expect(problems(.uniform(min: 0, max: 1, step: 0)) == ["\(path).uniform.step"])
        #expect(problems(.uniform(min: 0, max: 1, step: 2)) == ["\(path).uniform.step"])
        #expect(problems(.uniform(min: 0, max: 1, step: 1e-12)) == ["\(path).uniform.step"])
        #expect(problems(.logUniform(min: 0, max: 1)) == ["\(path).logUniform.min"])
        #expect(problems(.integer(min: 2, max: 1)) == ["\(path).uniform.max"])
        #expect(problems(.integer(min: 0, max: 4, step: 0)) == ["\(path).uniform.step"])
        #expect(problems(.integer(min: .min, max: .max)) == ["\(path).uniform.min", "\(path).uniform.max"])
        #expect(problems(.logInteger(min: 0, max: 9)) == ["\(path).logUniform.min"])
        #expect(problems(.categorical([])) == ["\(path).categorical.choices"])
        #expect(problems(.categorical(["a", "b", "a"])) == ["\(path).categorical.choices[2]"])
        #expect(problems(.categorical((0...100).map(String.init))) == ["\(path).categorical.choices"])
        #expect(problems(.categorical(["only"])) == [])
    }

    @Test func namesAreThereAndDiffer() {
        let twice = SearchParameter("x", .categorical(["a"]))
        #expect(SearchSpace.problems(of: []).map(\.path) == ["parameters"])
        #expect(
            SearchSpace.problems(of: [twice, twice, SearchParameter("", .categorical(["a"]))]).map(\.path)
                == ["parameters[1].name", "parameters[2].name"])
        let many = (0...100).map { SearchParameter("x\($0)", .categorical(["a"])) }
        #expect(SearchSpace.problems(of: many).map(\.path) == ["parameters"])
    }

    @Test(
        arguments: [
            (.uniform(min: 0, max: 1), nil), (.uniform(min: 0, max: 0.3, step: 0.1), 4),
            (.uniform(min: 0, max: 1, step: 0.3), 4), (.integer(min: 1, max: 10, step: 4), 3),
            (.integer(min: -3, max: 3), 7), (.logInteger(min: 1, max: 64), 64), (.categorical(["a", "b"]), 2),
            (.logUniform(min: 1, max: 2), nil),
        ] as [(Distribution, Int?)])
    func valuesAreCounted(_ distribution: Distribution, _ count: Int?) {
        #expect(distribution.count == count)
    }

    @Test func aSpaceCountsItsCombinationsUnlessThereAreTooMany() throws {
        let byte = Distribution.integer(min: 0, max: 255)
        func space(_ count: Int) throws -> SearchSpace {
            try SearchSpace((0..<count).map { SearchParameter("x\($0)", byte) })
        }
        #expect(try space(2).count == 65_536)
        #expect(try space(8).count == nil)
    }

    /// Whatever value comes out is in its range, on its step, and is read back as what it was.
    @Test(
        arguments: [
            .uniform(min: -0.1, max: 0.2), .uniform(min: 1e300, max: 1.5e300), .uniform(min: 0.1, max: 0.7, step: 0.1),
            .uniform(min: -1, max: 1, step: 0.07), .logUniform(min: 1e-8, max: 3), .logUniform(min: 1e-300, max: 1e300),
            .integer(min: -7, max: 12, step: 3), .integer(min: 0, max: 1 << 53), .logInteger(min: 1, max: 1 << 40),
            .logInteger(min: 3, max: 5), .categorical(["x", "", "1e3"]),
        ] as [Distribution])
    func aValueIsInItsRangeAndReadBack(_ distribution: Distribution) throws {
        let space = try SearchSpace([SearchParameter("p", distribution)])
        let axis = Axis(distribution)
        var random = SearchRandom(seed: 4, stream: 0, use: .values)
        for round in 0..<2_000 {
            let position = round == 0 ? 0 : round == 1 ? 1 : random.unit()
            let coordinate = axis.coordinate(at: position)
            let text = axis.text(coordinate)
            let back = try #require(axis.coordinate(of: text), "\(text)")
            #expect(axis.text(back) == text)
            #expect(back.index == coordinate.index && abs(back.position - coordinate.position) < 1e-9)
            #expect((0...1).contains(back.position))
            #expect(space.contains(["p": text]) && !space.contains(["q": text]))
            switch distribution {
            case .uniform(let min, let max, let step):
                let value = try #require(Double(text))
                #expect(value >= min && value <= max)
                if let step { #expect(abs(((value - min) / step).rounded() - (value - min) / step) < 1e-6) }
            case .logUniform(let min, let max): #expect(try (min...max).contains(#require(Double(text))))
            case .integer(let min, let max, let step):
                let value = try #require(Int(text))
                #expect((min...max).contains(value) && (value - min) % step == 0)
            case .logInteger(let min, let max): #expect(try (min...max).contains(#require(Int(text))))
            case .categorical(let choices): #expect(choices.contains(text))
            }
        }
    }

    @Test(
        arguments: [
            (.uniform(min: 0, max: 1), ["1.1", "-0.1", "nan", "", "half"]),
            (.uniform(min: 0, max: 1, step: 0.25), ["0.3", "1.25", "0.2500000001"]),
            (.integer(min: 0, max: 10, step: 5), ["1", "15", "5.0", "-5"]),
            (.logInteger(min: 2, max: 9), ["1", "10", "2.5"]),
            (.categorical(["a"]), ["A", ""]),
        ] as [(Distribution, [String])])
    func whatIsNoValueIsNotRead(_ distribution: Distribution, _ texts: [String]) {
        for text in texts { #expect(Axis(distribution).coordinate(of: text) == nil, "\(text)") }
    }

    @Test func stepsOfDecimalsAreWrittenAsDecimals() {
        let axis = Axis(.uniform(min: 0.1, max: 0.7, step: 0.1))
        #expect(
            (0..<7).map { axis.text(axis.coordinate(index: $0)) } == ["0.1", "0.2", "0.3", "0.4", "0.5", "0.6", "0.7"])
    }

    /// Every cell of an axis together is the axis.
    @Test func cellsOfWholeNumbersOnALogarithmicScaleTouch() {
        let axis = Axis(.logInteger(min: 3, max: 40))
        #expect(abs(axis.cell(0).low) < 1e-15 && abs(axis.cell(37).high - 1) < 1e-15)
        for index in 0..<37 {
            #expect(axis.cell(index).high == axis.cell(index + 1).low)
            #expect(axis.coordinate(at: axis.coordinate(index: index).position).index == index)
        }
    }
}
