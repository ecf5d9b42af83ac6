/// Why a file cannot be read as records.
struct RecordProblem: Error, Hashable {
    /// From 1.
    var line: Int
    var message: String
}

/// CSV as RFC 4180 has it, whatever pieces it comes in: fields may be quoted, and quoted ones may hold separators, ends of
/// lines and doubled quotation marks. Lines may end with LF too, the last one with nothing, and empty lines are none.
struct CSVReader {
    /// A record that is longer is no record, but a file that is something else.
    static let longest = 16 << 20

    private enum State {
        case beginning
        case plain
        case quoted
        /// After a quotation mark in a quoted field: it ends, or there are two for one.
        case afterQuote
    }

    private let separator: UInt8
    private var state = State.beginning
    /// The bytes of the record's fields, one after the other, and where each ends.
    private var bytes: [UInt8] = []
    private var ends: [Int] = []
    private var line = 1
    /// Where the record began.
    private var firstLine = 1
    private var isEmptyLine = true
    private var isAfterReturn = false
    /// How much of a byte order mark was seen at the beginning.
    private var mark: Int? = 0
    /// Those that have come to their end and were not given out.
    private var records: [(line: Int, row: Row)] = []

    private static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]

    init(separator: UInt8 = UInt8(ascii: ",")) { self.separator = separator }

    /// A record: its fields as they lie in the reader.
    struct Row {
        let bytes: [UInt8]
        let ends: [Int]

        var count: Int { ends.count }

        subscript(index: Int) -> ArraySlice<UInt8> { bytes[(index == 0 ? 0 : ends[index - 1])..<ends[index]] }

        func text(_ index: Int) -> String { String(decoding: self[index], as: UTF8.self) }
    }

    /// - Returns: the records that have come to their end, each with the line that it begins in.
    mutating func read(_ piece: UnsafeRawBufferPointer) throws(RecordProblem) -> [(line: Int, row: Row)] {
        for byte in piece {
            if let seen = mark {
                if byte == Self.byteOrderMark[seen] {
                    mark = seen == 2 ? nil : seen + 1
                    continue
                }
                mark = nil
                for skipped in Self.byteOrderMark.prefix(seen) { try consume(skipped) }
            }
            try consume(byte)
        }
        return takeRecords()
    }

    /// The file has ended.
    mutating func finish() throws(RecordProblem) -> [(line: Int, row: Row)] {
        if state == .quoted { throw RecordProblem(line: firstLine, message: "a quoted field does not end") }
        endRecord()
        return takeRecords()
    }

    private mutating func takeRecords() -> [(line: Int, row: Row)] {
        defer { records.removeAll(keepingCapacity: true) }
        return records
    }

    private mutating func consume(_ byte: UInt8) throws(RecordProblem) {
        let (newline, carriageReturn, quote) = (UInt8(ascii: "\n"), UInt8(ascii: "\r"), UInt8(ascii: "\""))
        defer { isAfterReturn = byte == carriageReturn }
        if byte == newline, isAfterReturn, state != .quoted { return }
        if state == .quoted {
            if byte == quote { state = .afterQuote } else { try append(byte) }
            if byte == newline { line += 1 }
            return
        }
        switch byte {
        case newline, carriageReturn:
            endRecord()
            line += 1
            firstLine = line
        case separator:
            endField()
        case quote where state == .beginning:
            state = .quoted
            isEmptyLine = false
        case quote where state == .afterQuote:
            try append(byte)
            state = .quoted
        default:
            guard state != .afterQuote else {
                throw RecordProblem(line: line, message: "there is something behind the end of a quoted field")
            }
            state = .plain
            isEmptyLine = false
            try append(byte)
        }
    }

    private mutating func append(_ byte: UInt8) throws(RecordProblem) {
        guard bytes.count < Self.longest else {
            throw RecordProblem(line: firstLine, message: "a record is longer than \(Self.longest) bytes")
        }
        bytes.append(byte)
    }

    private mutating func endField() {
        ends.append(bytes.count)
        state = .beginning
        isEmptyLine = false
    }

    private mutating func endRecord() {
        if !isEmptyLine {
            endField()
            records.append((firstLine, Row(bytes: bytes, ends: ends)))
        }
        bytes.removeAll(keepingCapacity: true)
        ends.removeAll(keepingCapacity: true)
        state = .beginning
        isEmptyLine = true
    }
}
