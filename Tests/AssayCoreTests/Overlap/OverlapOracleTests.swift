import FuzzProperties
import JSON
import Subprocess
import Testing

@testable import AssayCore

/// Counts against those of Python's own readers of CSV and JSON, on tables that are written in every way there is.
@Suite struct OverlapOracleTests {
    private static let count = 4000

    private struct Generator {
        var random: SplitMix

        mutating func roll(_ sides: Int) -> Int { Int.random(in: 0..<sides, using: &random) }

        private static let texts = ["1", "2", "x", "", "a b", "é", "1.0", "x,y", "\"", "two\nlines", "x;y", "nil"]
        private static let values: [JSONValue] = [1, 2, 1.5, "1", "", "é", true, .null, ["x", 1], ["k": 2.0], "\"\n"]

        /// Few values, so that rows meet.
        mutating func row(_ columns: [String]) -> [String: Int] {
            Dictionary(uniqueKeysWithValues: columns.map { ($0, roll(4)) })
        }

        private mutating func field(_ text: String, _ separator: String) -> String {
            let mustBeQuoted = ["\"", "\n", separator].contains { text.contains($0) }
            guard mustBeQuoted || text.isEmpty || roll(4) == 0 else { return text }
            return "\"" + text.replacing("\"", with: "\"\"") + "\""
        }

        private mutating func shuffled(_ columns: [String]) -> [String] { columns.shuffled(using: &random) }

        mutating func csv(_ rows: [[String: Int]], _ columns: [String], _ vocabulary: [String]) -> String {
            let separator = [",", ";", "\t", "|"][roll(4)]
            let end = roll(3) == 0 ? "\r\n" : "\n"
            var names = shuffled(columns)
            if roll(3) == 0 { names.insert("id", at: roll(names.count + 1)) }
            // One column has no separator, and then nobody can tell which it is.
            let used = names.count == 1 ? "," : separator
            var text = names.joined(separator: used) + end
            for row in rows {
                let fields = names.map { name in
                    field(row[name].map { vocabulary[$0] } ?? String(roll(1000)), used)
                }
                if roll(8) == 0 { text += end }
                text += fields.joined(separator: used) + end
            }
            if roll(2) == 0 { text.removeLast(end.count) }
            return text
        }

        mutating func lines(_ rows: [[String: Int]], _ columns: [String], _ vocabulary: [JSONValue]) -> String {
            var text = ""
            for row in rows {
                let members = shuffled(columns + (roll(3) == 0 ? ["id"] : [])).map { name in
                    let value = row[name].map { vocabulary[$0] } ?? .integer(Int64(roll(1000)))
                    return "\(JSONValue.string(name).serialized()) : \(value.serialized())"
                }
                text += "{" + members.joined(separator: ", ") + "}" + (roll(8) == 0 ? "\n\n" : "\n")
            }
            return text
        }

        mutating func next() -> JSONValue {
            let isCSV = roll(2) == 0
            let columns = ["a", "b", "c c", "d"].prefix(1 + roll(3)).map(\.self)
            let texts = Self.texts.shuffled(using: &random)
            var values = Self.values.shuffled(using: &random)
            // A column is comparable where every row of the holdout has it.
            values.removeAll(where: \.isNull)
            let other = columns.count > 1 && roll(3) == 0
            func file(_ generator: inout Generator, _ name: Int, _ most: Int) -> JSONValue {
                let rows = (0..<1 + generator.roll(most)).map { _ in generator.row(columns) }
                var vocabulary = values
                // What is left out is as good as null, but for the first column.
                if other { vocabulary[3] = .null }
                let named = rows.map { row in
                    guard other, row[columns[0]] == 3 else { return row }
                    return row.merging([columns[0]: 2]) { $1 }
                }
                return isCSV
                    ? [.string("\(name).csv"), .string(generator.csv(named, columns, texts))]
                    : [.string("\(name).jsonl"), .string(generator.lines(named, columns, vocabulary))]
            }
            let holdout = (0..<1 + roll(2)).map { file(&self, $0, 6) }
            let training = (0..<1 + roll(3)).map { _ in JSONValue.array((0..<1 + roll(2)).map { file(&self, $0, 8) }) }
            return ["holdout": .array(holdout), "training": .array(training)]
        }
    }

    private static func files(_ json: JSONValue?) -> [String: String] {
        var result: [String: String] = [:]
        for pair in json?.array ?? [] { result[pair[0]?.string ?? ""] = pair[1]?.string }
        return result
    }

    @Test func theCountIsWhatAnOracleCounts() async throws {
        var generator = Generator(random: SplitMix(seed: 20_261_130))
        let cases = (0..<Self.count).map { _ in generator.next() }
        let script = String(#filePath.dropLast("OverlapOracleTests.swift".count)) + "overlap_oracle.py"
        let answer = try await Subprocess.run(
            .name("env"), arguments: ["/usr/bin/python3", script],
            input: .string(cases.map { $0.serialized() + "\n" }.joined()), output: .string(limit: 1 << 24),
            error: .string(limit: 1 << 16))
        #expect(answer.standardError.isEmpty, "\(answer.standardError)")
        let lines = answer.standardOutput.split(separator: "\n")
        try #require(lines.count == cases.count)
        var (none, some, unproven) = (0, 0, 0)
        for (number, (example, line)) in zip(cases, lines).enumerated() {
            let expected = try JSONValue(parsing: String(line))
            let piece = [Int.max, 1, 3][number % 3]
            let result = try OverlapCountTests.compare(
                Self.files(example["holdout"]), (example["training"]?.array ?? []).map(Self.files), piece: piece)
            if result.method == .unproven {
                // Of JSON Lines a file may by chance have nothing of an optional member.
                unproven += 1
                continue
            }
            let said: JSONValue = [
                "rows": .integer(result.rows ?? -1), "overlapping": .integer(result.overlapping ?? -1),
                "places": JSONValue(result.places.map { "\($0.holdout) is \($0.training)" }),
            ]
            #expect(said == expected, "\(example.serialized())")
            if result.overlapping == 0 { none += 1 } else { some += 1 }
        }
        // Both answers are common, so that neither is right by chance.
        #expect(none > Self.count / 20 && some > Self.count / 3, "\(none), \(some)")
        #expect(unproven < Self.count / 3, "\(unproven)")
    }
}
