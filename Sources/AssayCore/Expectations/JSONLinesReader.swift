import JSON

/// JSON Lines, whatever pieces it comes in: an object on each line, and empty lines are none.
struct JSONLinesReader {
    private var bytes: [UInt8] = []
    private var line = 1
    private var records: [(line: Int, object: JSONObject)] = []

    /// - Returns: the records that have come to their end, each with its line.
    mutating func read(_ piece: UnsafeRawBufferPointer) throws(RecordProblem) -> [(line: Int, object: JSONObject)] {
        var rest = piece[...]
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            bytes += rest[..<end]
            try endLine()
            line += 1
            rest = rest[(end + 1)...]
        }
        guard bytes.count + rest.count <= CSVReader.longest else {
            throw RecordProblem(line: line, message: "a record is longer than \(CSVReader.longest) bytes")
        }
        bytes += rest
        return takeRecords()
    }

    /// The file has ended.
    mutating func finish() throws(RecordProblem) -> [(line: Int, object: JSONObject)] {
        try endLine()
        return takeRecords()
    }

    private mutating func takeRecords() -> [(line: Int, object: JSONObject)] {
        defer { records.removeAll(keepingCapacity: true) }
        return records
    }

    private mutating func endLine() throws(RecordProblem) {
        defer { bytes.removeAll(keepingCapacity: true) }
        guard bytes.contains(where: { !" \t\r".utf8.contains($0) }) else { return }
        let value: JSONValue
        // What the parser says may have of the content in it.
        do { value = try JSONValue(parsing: bytes) } catch {
            throw RecordProblem(line: line, message: "is no JSON, from its byte \(error.offset) on")
        }
        guard let object = value.object else { throw RecordProblem(line: line, message: "is no JSON object") }
        records.append((line, object))
    }
}
