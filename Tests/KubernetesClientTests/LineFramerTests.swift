import Testing

@testable import KubernetesClient

@Suite struct LineFramerTests {
    /// Lines of a stream that was cut at `cuts`.
    private static func lines(_ bytes: [UInt8], cuts: [Int], limit: Int = 1000) -> (lines: [String], rest: String)? {
        var framer = LineFramer(limit: limit)
        var result: [String] = []
        var start = 0
        for cut in cuts + [bytes.count] {
            let overflow = framer.push(Array(bytes[start..<cut])) { result.append(String(decoding: $0, as: UTF8.self)) }
            if overflow != nil { return nil }
            start = cut
        }
        return (result, String(decoding: framer.finish(), as: UTF8.self))
    }

    private static let text = "first\n\nseconde\u{301}\r\n{\"a\":1}\n\r\nüöä\nlast"
    private static let expected = ["first", "seconde\u{301}", "{\"a\":1}", "üöä"]

    @Test func everyPairOfCutsGivesTheSameLines() throws {
        let bytes = Array(Self.text.utf8)
        for first in 0...bytes.count {
            for second in first...bytes.count {
                let (lines, rest) = try #require(Self.lines(bytes, cuts: [first, second]))
                #expect(lines == Self.expected)
                #expect(rest == "last")
            }
        }
    }

    @Test func randomLinesSurviveRandomCuts() throws {
        var random = SplitMix(state: 7)
        for _ in 0..<300 {
            let wanted = (0..<Int.random(in: 0...20, using: &random)).map { _ in
                String(repeating: "x", count: Int.random(in: 1...400, using: &random))
            }
            let bytes = Array(wanted.map { $0 + "\n" }.joined().utf8)
            let cuts = (0..<Int.random(in: 0...30, using: &random)).map { _ in
                Int.random(in: 0...bytes.count, using: &random)
            }
            let (lines, rest) = try #require(Self.lines(bytes, cuts: cuts.sorted()))
            #expect(lines == wanted)
            #expect(rest.isEmpty)
        }
    }

    @Test func aLineOfTheLimitPassesAndALongerOneDoesNot() {
        for cuts in [[], [1], [5, 10], [10], [11]] {
            let fits = Array((String(repeating: "x", count: 10) + "\ny").utf8)
            #expect(Self.lines(fits, cuts: cuts, limit: 10)?.lines == [String(repeating: "x", count: 10)])
            let tooLong = Array((String(repeating: "x", count: 11) + "\ny").utf8)
            #expect(Self.lines(tooLong, cuts: cuts, limit: 10) == nil)
        }
        #expect(Self.lines([UInt8](repeating: 0x78, count: 11), cuts: [], limit: 10) == nil, "before its end arrives")
    }

    @Test func aLongLineInSmallChunksTakesLinearTime() {
        var framer = LineFramer(limit: 8 << 20)
        let chunk = [UInt8](repeating: 0x78, count: 1024)
        let took = ContinuousClock().measure {
            for _ in 0..<4096 { _ = framer.push(chunk) { _ in } }
        }
        #expect(framer.pendingCount == 4 << 20)
        #expect(took < .seconds(5), "4 MB; searching everything again at each chunk would take minutes")
    }
}

/// Random numbers that are the same in each run (Steele, Lea and Flood, "Fast splittable pseudorandom number generators").
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
