import FuzzProperties
import JSON
import Testing

@testable import AssayCore

/// What data has to be like before anything is trained on it.
@Suite struct DataCheckTests {
    private static func expectation(_ text: String) throws -> DataExpectation {
        try DataExpectation(json: JSONCursor(try JSONValue(parsing: text)))
    }

    /// Reads files, in pieces of so many bytes.
    private static func problems(
        _ expectation: DataExpectation, _ files: [(String, String)], piece: Int = .max
    ) -> [String] {
        var check = DataCheck(expectation)
        for (name, text) in files where check.reads(name) {
            check.begin(file: name)
            var rest = Array(text.utf8)[...]
            var isUseful = true
            while !rest.isEmpty, isUseful {
                let part = Array(rest.prefix(piece))
                isUseful = part.withUnsafeBytes { check.read($0) }
                rest = rest.dropFirst(piece)
            }
            if isUseful { check.endFile() }
        }
        return check.problems
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var name: String
        var expectation: String
        var files: [(String, String)]
        var problems: [String]
        var testDescription: String { name }

        init(_ name: String, _ expectation: String, _ text: String, _ problems: String..., file: String = "rows.csv") {
            self.name = name
            self.expectation = expectation
            files = [(file, text)]
            self.problems = problems
        }
    }

    private static func csv(_ more: String) -> String { #"{"output": "rows", "format": "CSV", "# + more + "}" }
    private static func lines(_ more: String) -> String { #"{"output": "rows", "format": "JSONLines", "# + more + "}" }
    private static func column(_ more: String) -> String { #""columns": [{"name": "a", "type": "# + more + "}]" }

    static let cases = [
        Case("a good file", csv(column(#""Number", "min": 0, "max": 9"#)), "a,b\r\n1,x\r\n9,\"y,\n\"\"z\"\r\n"),
        Case(
            "out of range", csv(column(#""Number", "min": 0, "max": 9"#)), "a\n1\n-1\n10\n",
            "rows: column a: 2 of 3 values are not from 0 to 9, first in rows.csv line 3"),
        Case(
            "no number", csv(column(#""Number""#)), "a\n1\nhigh\nNaN\n1e999\n0x1\n",
            "rows: column a: 4 of 5 values are no Number, first in rows.csv line 3"),
        Case(
            "no integer", csv(column(#""Integer", "min": 1"#)), "a\n1\n1.5\n2.0\n0\n",
            "rows: column a: 1 of 4 values are no Integer, first in rows.csv line 3",
            "rows: column a: 1 of 4 values are not 1 or more, first in rows.csv line 5"),
        Case(
            "no boolean", csv(column(#""Boolean""#)), "a\ntrue\nFalse\n0\nyes\n",
            "rows: column a: 1 of 4 values are no Boolean, first in rows.csv line 5"),
        Case(
            "other values", csv(column(#""String", "values": ["red", "white"]"#)), "a\nred\nblue\nwhite\n",
            "rows: column a: 1 of 3 values are none of those that are allowed, first in rows.csv line 3"),
        Case(
            "none may be missing", csv(column(#""Number""#)), "a,b\n1,\n,2\n",
            "rows: column a: 1 of 2 values are missing, first in rows.csv line 3, and none may be"),
        Case(
            "too many are missing", csv(#""missingValues": ["NA"], "# + column(#""Number", "maxMissingShare": 0.25"#)),
            "a\n1\nNA\n3\nNA\n",
            "rows: column a: 2 of 4 values are missing, first in rows.csv line 3, and at most the part 0.25 may be"),
        Case("some may be missing", csv(column(#""Number", "maxMissingShare": 0.5"#)), "a,b\n1,1\n,2\n"),
        Case("no such column", csv(column(#""Number""#)), "b\n1\n", "rows: rows.csv line 1: there is no column a"),
        Case(
            "other columns", csv(#""allowsOtherColumns": false, "# + column(#""Number""#)), "a,b\n1,2\n",
            "rows: there are columns that are not expected, first in rows.csv line 1"),
        Case(
            "a column twice", csv(column(#""Number""#)), "a,a\n1,2\n",
            "rows: rows.csv line 1: two columns have one name"),
        Case(
            "too few rows", csv(#""rows": {"min": 3}"#), "a\n1\n\n2\n",
            "rows: there are 2 rows, and at least 3 are expected"),
        Case(
            "too many rows", csv(#""rows": {"max": 1}"#), "a\n1\n2",
            "rows: there are 2 rows, and at most 1 are expected"),
        Case(
            "a ragged row", csv(#""rows": {"min": 1}"#), "a,b\n1,2\n1,2,3\n",
            "rows: rows.csv line 3: there are 3 fields, and 2 columns"),
        Case(
            "a quotation that does not end", csv(#""rows": {"min": 0}"#), "a\n1\n\"2\n3\n",
            "rows: rows.csv line 3: a quoted field does not end"),
        Case(
            "something behind a quotation", csv(#""rows": {"min": 0}"#), "a\n\"1\"2\n",
            "rows: rows.csv line 2: there is something behind the end of a quoted field"),
        Case("nothing at all", csv(#""rows": {"min": 0}"#), "", "rows: rows.csv line 1: there is no header"),
        Case(
            "another separator", csv(#""separator": ";", "# + column(#""Number""#)), "\"a\";\"b\"\n1,5;2\n",
            "rows: column a: 1 of 1 values are no Number, first in rows.csv line 2"),
        Case("a byte order mark", csv(column(#""Number""#)), "\u{FEFF}a\n1\n"),
        Case(
            "no file of the format", csv(#""rows": {"min": 0}"#), "a\n1\n", "rows has no file that ends with .csv",
            file: "rows.txt"),
        Case(
            "good lines", lines(column(#""Number", "max": 2"#)), "{\"a\": 1}\n\n{\"a\": 2.0, \"b\": []}",
            file: "rows.jsonl"),
        Case(
            "lines of other types", lines(column(#""Number""#)), "{\"a\": \"1\"}\n{\"a\": true}\n{\"a\": null}\n{}\n",
            "rows: column a: 2 of 4 values are missing, first in rows.jsonl line 3, and none may be",
            "rows: column a: 2 of 4 values are no Number, first in rows.jsonl line 1", file: "rows.jsonl"),
        Case(
            "a broken line", lines(#""rows": {"min": 0}"#), "{}\n{\"secret\n",
            "rows: rows.jsonl line 2: is no JSON, from its byte 8 on",
            file: "rows.ndjson".replacing("ndjson", with: "jsonl")),
        Case(
            "no object", lines(#""rows": {"min": 0}"#), "[1]\n", "rows: rows.jsonl line 1: is no JSON object",
            file: "rows.jsonl"),
    ]

    @Test(arguments: cases) func whatIsNotAsExpectedIsToldWithoutContent(_ example: Case) throws {
        let expectation = try Self.expectation(example.expectation)
        #expect(expectation.problems(at: "x") == [])
        for piece in [Int.max, 1, 2, 7] {
            #expect(Self.problems(expectation, example.files, piece: piece) == example.problems, "\(piece)")
        }
    }

    @Test func allFilesCountTogether() throws {
        let expectation = try Self.expectation(Self.csv(#""rows": {"min": 4}, "# + Self.column(#""Number""#)))
        let files = [("one/rows.csv", "a\n1\n2\n"), ("two.CSV", "b,a\n1,3\n1,4\n"), ("readme.md", "a\nx\n")]
        #expect(Self.problems(expectation, files) == [])
        #expect(
            Self.problems(expectation, Array(files.prefix(1)))
                == ["rows: there are 2 rows, and at least 4 are expected"])
    }

    /// Whatever fields hold, what is written comes back, in whatever pieces it is read.
    @Test func writtenRecordsAreReadBack() throws {
        var random = SplitMix(seed: 7)
        let alphabet = ["a", ",", "\"", "\n", "\r", "\r\n", " ", "é", ""]
        for _ in 0..<2000 {
            let width = Int.random(in: 1...4, using: &random)
            let rows = (0..<Int.random(in: 1...5, using: &random)).map { _ in
                (0..<width).map { _ in
                    (0..<Int.random(in: 0...4, using: &random)).map { _ in
                        alphabet[Int.random(in: 0..<alphabet.count, using: &random)]
                    }.joined()
                }
            }
            let end = Bool.random(using: &random) ? "\r\n" : "\n"
            let text = rows.map { row in
                row.map { "\"" + $0.replacing("\"", with: "\"\"") + "\"" }.joined(separator: ",") + end
            }.joined()
            var reader = CSVReader()
            var read: [[String]] = []
            var rest = Array(text.utf8)[...]
            while !rest.isEmpty {
                let part = Array(rest.prefix(Int.random(in: 1...8, using: &random)))
                rest = rest.dropFirst(part.count)
                let records = try part.withUnsafeBytes { (bytes) throws(RecordProblem) in try reader.read(bytes) }
                read += records.map { record in (0..<record.row.count).map(record.row.text) }
            }
            read += try reader.finish().map { record in (0..<record.row.count).map(record.row.text) }
            #expect(read == rows, "\(text.debugDescription)")
        }
    }

    @Test(arguments: [
        (#"{"output": "rows", "format": "CSV"}"#, "spec.steps[0].expectations[0]"),
        (#"{"output": "other", "format": "CSV", "rows": {"min": 1}}"#, "spec.steps[0].expectations[0].output"),
        (csv(#""rows": {"min": 2, "max": 1}"#), "spec.steps[0].expectations[0].rows.max"),
        (csv(#""separator": ";;", "rows": {"min": 2}"#), "spec.steps[0].expectations[0].separator"),
        (lines(#""separator": ";", "rows": {"min": 2}"#), "spec.steps[0].expectations[0].separator"),
        (csv(column(#""String", "min": 1"#)), "spec.steps[0].expectations[0].columns[0].min"),
        (csv(column(#""Number", "min": 1, "max": 0"#)), "spec.steps[0].expectations[0].columns[0].max"),
        (csv(column(#""Number", "values": ["1"]"#)), "spec.steps[0].expectations[0].columns[0].values"),
        (csv(column(#""Number", "maxMissingShare": 2"#)), "spec.steps[0].expectations[0].columns[0].maxMissingShare"),
    ])
    func whatCannotBeMeantIsRefused(_ expectation: String, _ path: String) throws {
        let object = try Sample.workflow {
            var step = Sample.step("extract", outputs: ["rows"])
            step["expectations"] = [(try? JSONValue(parsing: expectation)) ?? .null]
            $0["spec", "steps"] = [step]
        }
        #expect(try TrainingJob(json: object).problems.map(\.path) == [path])
    }
}
