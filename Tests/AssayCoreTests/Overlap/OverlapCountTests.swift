import JSON
import Testing

@testable import AssayCore

/// Which rows are the same, and what happens where that cannot be told.
@Suite struct OverlapCountTests {
    static let digest = "sha256:" + String(repeating: "ab", count: 32)

    /// Files as they come, in pieces of so many bytes.
    static func files(_ texts: [String: String], piece: Int = .max) -> [ArtifactFile] {
        texts.sorted { $0.key < $1.key }.map { name, text in
            ArtifactFile(name: name) { take in
                var rest = Array(text.utf8)[...]
                while !rest.isEmpty {
                    let part = Array(rest.prefix(piece))
                    guard part.withUnsafeBytes(take) else { return }
                    rest = rest.dropFirst(piece)
                }
            }
        }
    }

    static func compare(
        _ holdout: [String: String], _ training: [[String: String]], sources: [Bool]? = nil, needs: [[Int]]? = nil,
        piece: Int = .max, limit: Int = 1000
    ) throws -> Independence {
        var request = OverlapRequest(
            holdout: .init(name: "holdout", digest: digest),
            training: training.indices.map {
                .init(name: "t\($0)", digest: digest, isSource: sources?[$0] ?? true)
            })
        if let needs { request.needs = needs.map { .init(step: "train", artifacts: $0) } }
        var count = OverlapCount(request, limit: limit)
        try count.readHoldout(files(holdout, piece: piece))
        guard count.isComparable else { return count.result }
        for (index, texts) in training.enumerated() { try count.readTraining(index, files(texts, piece: piece)) }
        return count.result
    }

    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var holdout: [String: String]
        var training: [String: String]
        /// Nil where nothing can be said.
        var overlapping: Int64?
        var rows: Int64?
        var places: [String] = []
        var message: String?

        init(
            _ name: String, _ holdout: String, _ training: String, _ overlapping: Int64?, of rows: Int64? = nil,
            at places: String..., says message: String? = nil, file: String = "r.csv", other: String? = nil
        ) {
            testDescription = name
            self.holdout = [file: holdout]
            self.training = [other ?? file: training]
            self.overlapping = overlapping
            self.rows = rows
            self.places = places
            self.message = message
        }

        init(
            _ name: String, files holdout: [String: String], _ training: [String: String], _ overlapping: Int64?,
            of rows: Int64? = nil, says message: String? = nil
        ) {
            testDescription = name
            self.holdout = holdout
            self.training = training
            self.overlapping = overlapping
            self.rows = rows
            self.message = message
        }
    }

    private static let one = String(repeating: "0a", count: 32)
    private static let two = String(repeating: "1b", count: 32)

    static let cases = [
        Case("no row in common", "a,b\n1,2\n3,4\n", "a,b\n5,6\n1,4\n", 0, of: 2),
        Case(
            "one in common", "a,b\n1,2\n3,4\n", "a,b\n9,9\n3,4\n", 1, of: 2,
            at: "holdout/r.csv line 3 is t0/r.csv line 3"),
        Case("the header is no row", "a,b\n1,2\n", "a,b\n3,4\n", 0, of: 1),
        Case(
            "quoting and ends of lines make no difference", "a,b\r\n\"1\",\"x, y\"\r\n", "a,b\n\n1,\"x, y\"", 1, of: 1,
            at: "holdout/r.csv line 2 is t0/r.csv line 3"),
        Case(
            "the order of columns makes none", "a,b\n1,2\n", "b,a\n2,1\n", 1, of: 1,
            at: "holdout/r.csv line 2 is t0/r.csv line 2"),
        Case("values do not change their columns", "a,b\n1,2\n", "b,a\n1,2\n", 0, of: 1),
        Case("values do not run into each other", "a,b\n1,23\n", "a,b\n12,3\n", 0, of: 1),
        Case(
            "further columns of training make none", "a\n1\n2\n", "id,a\n7,2\n8,3\n", 1, of: 2,
            at: "holdout/r.csv line 3 is t0/r.csv line 2"),
        Case(
            "duplicates count once", "a\n1\n1\n2\n1\n", "a\n1\n1\n", 1, of: 2,
            at: "holdout/r.csv line 2 is t0/r.csv line 2"),
        Case("another separator", "a,b\n1,2\n", "a;b\n1;2\n", 1, of: 1, at: "holdout/r.csv line 2 is t0/r.csv line 2"),
        Case("text is not number", "a\n1\n", "a\n1.0\n", 0, of: 1),
        Case(
            "a byte order mark", "a,b\n1,2\n", "\u{FEFF}a,b\n1,2\n", 1, of: 1,
            at: "holdout/r.csv line 2 is t0/r.csv line 2"),
        Case(
            "at most five places", "a\n1\n2\n3\n4\n5\n6\n", "a\n6\n5\n4\n3\n2\n1\n", 6, of: 6,
            at: "holdout/r.csv line 7 is t0/r.csv line 2", "holdout/r.csv line 6 is t0/r.csv line 3",
            "holdout/r.csv line 5 is t0/r.csv line 4", "holdout/r.csv line 4 is t0/r.csv line 5",
            "holdout/r.csv line 3 is t0/r.csv line 6"),
        Case(
            "JSON Lines in canonical form", "{\"a\":1,\"b\":\"é\"}\n", "{\"b\": \"\\u00e9\", \"a\": 1.0}\n", 1, of: 1,
            at: "holdout/r.jsonl line 1 is t0/r.jsonl line 1", file: "r.jsonl"),
        Case(
            "null is nothing, and another member is another row", "{\"a\":1,\"b\":null}\n{\"a\":2,\"b\":1}\n",
            "{\"a\":1}\n{\"a\":2}\n", 1, of: 2, at: "holdout/r.jsonl line 1 is t0/r.jsonl line 1", file: "r.jsonl"),
        Case("JSON's types count", "{\"a\":1}\n", "{\"a\":\"1\"}\n", 0, of: 1, file: "r.ndjson"),
        Case(
            "files of both sides in directories", files: ["x/1.csv": "a\n1\n", "x/2.csv": "a\n2\n", "_SUCCESS": ""],
            ["y/z.csv": "a\n2\n", ".z.csv.crc": "?"], 1, of: 2),
        // What cannot be compared.
        Case(
            "columns that training lacks", "a,b\n1,2\n", "a\n1\n", nil,
            says: "t0/r.csv lacks columns that the holdout has, and cannot be compared with it"),
        Case(
            "members that training lacks", "{\"a\":1,\"b\":2}\n", "{\"a\":1}\n", nil,
            says: "t0/r.jsonl lacks columns that the holdout has, and cannot be compared with it", file: "r.jsonl"),
        Case(
            "another format", "a\n1\n", "{\"a\":1}\n", nil,
            says: "t0/r.jsonl is not CSV, as the holdout is, and cannot be compared with it", other: "r.jsonl"),
        Case("a holdout without rows", "a\n", "a\n1\n", nil, says: "holdout has no rows"),
        Case(
            "a training without rows", "a\n1\n", "a\n", nil,
            says: "what t0 has read is not known: there are no rows in t0"),
        Case(
            "a holdout that ends in a quotation", "a\n1\n\"2\n", "a\n1\n", nil,
            says: "holdout/r.csv line 3: a quoted field does not end"),
        Case(
            "a ragged holdout", "a,b\n1\n", "a,b\n1,2\n", nil,
            says: "holdout/r.csv line 2: there are 1 fields, and 2 columns"),
        Case(
            "no JSON", "{\"secret\n", "{}", nil, says: "holdout/r.jsonl line 1: is no JSON, from its byte 8 on",
            file: "r.jsonl"),
        Case(
            "a holdout of other files", files: ["r.csv": "a\n1\n", "images/1.png": "?"], ["r.csv": "a\n1\n"], nil,
            says:
                "holdout/images/1.png is neither CSV nor JSON Lines; let its step leave a file row-hashes in it, with the "
                + "sha256 of each row"),
        Case(
            "both formats", files: ["r.csv": "a\n1\n", "r.jsonl": "{}"], ["r.csv": "a\n1\n"], nil,
            says: "holdout has files both of CSV and JSON Lines"),
        Case(
            "nothing at all", files: ["_SUCCESS": ""], ["r.csv": "a\n1\n"], nil,
            says: "holdout has no files of CSV and JSON Lines"),
        Case(
            "no column in common", files: ["r.csv": "a\n1\n", "s.csv": "b\n1\n"], ["r.csv": "a\n1\n"], nil,
            says: "holdout has rows without any column in common"),
        // Hashes.
        Case(
            "hashes on both sides", files: ["row-hashes": "\(one)\n\(two)\n\(one)", "data.bin": "?"],
            ["row-hashes": "\(two)\n", "other.bin": "?"], 1, of: 2),
        Case(
            "hashes that are none", files: ["row-hashes": "\(one)\n\(two.uppercased())\n"], ["row-hashes": one], nil,
            says: "holdout/row-hashes line 2: is no sha256 of 64 lower-case hexadecimal digits"),
        Case(
            "an end of line of another system", files: ["row-hashes": one], ["row-hashes": "\(two)\r\n"], nil,
            says: "t0/row-hashes line 1: is no sha256 of 64 lower-case hexadecimal digits"),
        Case(
            "hashes on one side", files: ["row-hashes": one], ["r.csv": "a\n1\n"], nil,
            says: "t0 has no file row-hashes, and the holdout has one"),
        Case(
            "hashes on the other", files: ["r.csv": "a\n1\n"], ["row-hashes": one], nil,
            says: "t0 has row-hashes, and the holdout has none"),
        Case(
            "hashes in a directory are files like others", files: ["x/row-hashes": one], ["row-hashes": one], nil,
            says:
                "holdout/x/row-hashes is neither CSV nor JSON Lines; let its step leave a file row-hashes in it, with the "
                + "sha256 of each row"),
    ]

    @Test(arguments: cases) func whatIsTheSameIsFoundWhereverItStands(_ example: Case) throws {
        for piece in [Int.max, 1, 2, 7] {
            let result = try Self.compare(example.holdout, [example.training], piece: piece)
            if let overlapping = example.overlapping {
                #expect(result.method == (example.holdout["row-hashes"] == nil ? .rows : .rowHashes))
                #expect((result.overlapping, result.rows) == (overlapping, example.rows), "pieces of \(piece)")
                #expect(result.message == nil)
                if !example.places.isEmpty {
                    #expect(result.places.map { "\($0.holdout) is \($0.training)" } == example.places)
                }
            } else {
                #expect(result.method == .unproven)
                let doubt = result.message?.split(separator: "; without rows").first.map(String.init)
                #expect(doubt == example.message, "pieces of \(piece)")
            }
            #expect(result.message?.contains("secret") != true)
        }
    }

    // MARK: Several artifacts

    private static let rows = ["r.csv": "a,b\n1,2\n3,4\n"]
    private static let holdout = ["r.csv": "a,b\n5,6\n3,4\n"]

    @Test func aRowOfTheHoldoutCountsOnceInHoweverManyArtifacts() throws {
        let result = try Self.compare(Self.holdout, [Self.rows, Self.rows, ["s.csv": "b,a\n6,5\n"]])
        #expect((result.overlapping, result.rows) == (2, 2))
        #expect(result.places.map(\.training) == ["t0/r.csv line 3", "t2/s.csv line 2"])
    }

    /// A scaler beside rows is no doubt, and is told.
    @Test func whatHasNoRowsBesideRowsIsTold() throws {
        let result = try Self.compare(Self.holdout, [Self.rows, ["scaler.npy": "?"]], needs: [[0, 1]])
        #expect(result.method == .rows && result.overlapping == 1)
        #expect(result.message == "without rows that could be compared: t1")
    }

    @Test func whatHasNoRowsAloneIsADoubt() throws {
        let result = try Self.compare(
            ["r.csv": "a\n1\n"], [["r.csv": "a\n2\n"], ["scaler.npy": "?"]], needs: [[0], [1]])
        #expect(result.method == .unproven)
        #expect(
            result.message
                == "what train has read is not known: there are no rows in t1; without rows that could be compared: t1")
    }

    /// What is a table by its name is no scaler.
    @Test(arguments: ["more.parquet", "more.csv.gz", "MORE.TSV", "x/more.jsonl.zst"])
    func aTableThatNobodyCanReadIsADoubtBesideRows(_ name: String) throws {
        let result = try Self.compare(Self.holdout, [["r.csv": "a,b\n1,2\n"], [name: "?"]], needs: [[0, 1]])
        #expect(result.method == .unproven)
        #expect(result.message?.hasPrefix("t1/\(name) is not CSV, as the holdout is, and cannot be compared") == true)
        let made = try Self.compare(
            Self.holdout, [["r.csv": "a,b\n1,2\n"], [name: "?"]], sources: [true, false], needs: [[0, 1]])
        #expect(made.method == .rows, "of what it was made is known")
        let alone = try Self.compare([name: "?"], [Self.rows])
        #expect(alone.method == .unproven)
    }

    /// Features without rows, made of rows that were compared; and some of other columns.
    @Test(arguments: [["f.npy": "?"], ["f.csv": "z\n1\n"], ["f.jsonl": "{}"], ["f.csv": "a,b\n1\n"]])
    func whatWasMadeOfRowsHangsOnThose(_ features: [String: String]) throws {
        let result = try Self.compare(
            Self.holdout, [Self.rows, features], sources: [true, false], needs: [[0], [0, 1]])
        #expect(result.method == .rows && result.overlapping == 1)
        let source = try Self.compare(Self.holdout, [Self.rows, features], needs: [[0], [0, 1]])
        #expect(source.method == (features["f.npy"] == nil ? .unproven : .rows))
    }

    /// A source with rows that has something else in it, too, may have rows there that nobody sees.
    @Test func whatStandsBesideRowsIsADoubtUnlessItIsSaidThatItHasNone() throws {
        let mixed = ["r.csv": "a,b\n1,2\n", "more.parquet": "?"]
        #expect(try Self.compare(Self.holdout, [mixed]).method == .unproven)
        let declared = mixed.merging(["row-hashes": ""]) { $1 }
        let result = try Self.compare(Self.holdout, [declared])
        #expect(result.method == .rows && result.overlapping == 0)
    }

    /// Whatever else could not be compared, what was found is true.
    @Test func whatWasFoundStaysFoundBesideADoubt() throws {
        let result = try Self.compare(Self.holdout, [Self.rows, ["x.csv": "q\n1\n"]])
        #expect(result.method == .unproven && result.overlapping == 1 && result.rows == 2)
        #expect(!result.isWithin(0) && result.isWithin(0.5))
    }

    @Test func beyondTheLimitNothingIsSaid() throws {
        let many = ["r.csv": "a\n" + (0..<11).map { "\($0)\n" }.joined()]
        #expect(try Self.compare(many, [many], limit: 11).overlapping == 11)
        let result = try Self.compare(many, [many], limit: 10)
        #expect(result.method == .unproven && result.rows == nil)
        #expect(result.message == "holdout has more rows than can be compared, which are 10")
    }

    // MARK: What is told

    @Test func aReportFitsIntoATerminationMessage() throws {
        let name = String(repeating: "\u{1}é", count: 400) + ".csv"
        let rows = "a\n" + (0..<9).map { "\($0)\n" }.joined()
        let result = try Self.compare([name: rows], [[name: rows]])
        #expect(result.report.utf8.count <= 4000)
        let read = try #require(Independence(message: result.report))
        #expect((read.overlapping, read.rows) == (9, 9))
        #expect(read.places.allSatisfy { $0.holdout.hasSuffix(" line 2") || $0.holdout.contains("line") })
    }

    @Test(arguments: [
        #"{"holdout": "latest", "method": "Rows", "rows": 1, "overlapping": 0}"#,
        #"{"holdout": "DIGEST", "method": "Sworn", "rows": 1, "overlapping": 0}"#,
        #"{"holdout": "DIGEST", "method": "Rows", "rows": 1, "overlapping": 2}"#,
        #"{"holdout": "DIGEST", "method": "Rows", "rows": 1, "overlapping": -1}"#,
        #"{"holdout": "DIGEST", "method": "Rows", "rows": 0, "overlapping": 0}"#,
        #"{"holdout": "DIGEST", "method": "Rows", "rows": -1, "overlapping": 0}"#,
        #"{"holdout": "DIGEST", "method": "RowHashes", "rows": 1}"#, #"{"holdout": "DIGEST", "method": "Rows"}"#, "",
        "{}",
    ])
    func whatIsNoReportIsNotBelieved(_ text: String) {
        #expect(Independence(message: text.replacing("DIGEST", with: Self.digest)) == nil)
    }
}
