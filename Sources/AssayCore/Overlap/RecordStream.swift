import JSON

/// The records of a file of either format, whatever pieces it comes in.
struct RecordStream {
    enum Record {
        /// The names of the columns, once, before the rows.
        case header([String])
        case fields(CSVReader.Row)
        case object(JSONObject)
    }

    private let format: DataExpectation.Format
    private var csv: CSVReader?
    private var lines = JSONLinesReader()
    /// What came before it was known what separates the fields.
    private var beginning: [UInt8] = []
    private var width: Int?

    private static let separators = [",", ";", "\t", "|"].map { UInt8(ascii: $0) }
    private static let longestHeader = 1 << 20

    init(_ format: DataExpectation.Format) { self.format = format }

    mutating func read(_ piece: UnsafeRawBufferPointer) throws(RecordProblem) -> [(line: Int, record: Record)] {
        switch format {
        case .jsonLines: return try lines.read(piece).map { ($0.line, .object($0.object)) }
        case .csv:
            if csv != nil { return try readCSV(piece) }
            beginning += piece
            let isEnough = beginning.contains(UInt8(ascii: "\n")) || beginning.count > Self.longestHeader
            return isEnough ? try beginCSV() : []
        }
    }

    /// The file has ended.
    mutating func finish() throws(RecordProblem) -> [(line: Int, record: Record)] {
        switch format {
        case .jsonLines: return try lines.finish().map { ($0.line, .object($0.object)) }
        case .csv:
            var result = csv == nil ? try beginCSV() : []
            result += try records(try csv?.finish() ?? [])
            guard width != nil else { throw RecordProblem(line: 1, message: "there is no header") }
            return result
        }
    }

    private mutating func beginCSV() throws(RecordProblem) -> [(line: Int, record: Record)] {
        csv = CSVReader(separator: Self.separator(of: beginning))
        let bytes = beginning
        beginning = []
        return try bytes.withUnsafeBytes { piece -> Result<[(line: Int, record: Record)], RecordProblem> in
            do throws(RecordProblem) { return .success(try readCSV(piece)) } catch { return .failure(error) }
        }.get()
    }

    private mutating func readCSV(_ piece: UnsafeRawBufferPointer) throws(RecordProblem) -> [(
        line: Int, record: Record
    )] {
        try records(try csv?.read(piece) ?? [])
    }

    /// The character that stands most often between the names of the first line; a comma where none does.
    private static func separator(of bytes: [UInt8]) -> UInt8 {
        var counts: [UInt8: Int] = [:]
        var isQuoted = false
        for byte in bytes {
            if byte == UInt8(ascii: "\"") { isQuoted.toggle() }
            if isQuoted { continue }
            if byte == UInt8(ascii: "\n") { break }
            if separators.contains(byte) { counts[byte, default: 0] += 1 }
        }
        return separators.max { counts[$0, default: 0] < counts[$1, default: 0] } ?? UInt8(ascii: ",")
    }

    private mutating func records(
        _ rows: [(line: Int, row: CSVReader.Row)]
    ) throws(RecordProblem) -> [(line: Int, record: Record)] {
        var result: [(line: Int, record: Record)] = []
        result.reserveCapacity(rows.count)
        for (line, row) in rows {
            guard let width else {
                let names = (0..<row.count).map(row.text)
                guard Set(names).count == names.count else {
                    throw RecordProblem(line: line, message: "two columns have one name")
                }
                width = row.count
                result.append((line, .header(names)))
                continue
            }
            guard row.count == width else {
                throw RecordProblem(line: line, message: "there are \(row.count) fields, and \(width) columns")
            }
            result.append((line, .fields(row)))
        }
        return result
    }
}
