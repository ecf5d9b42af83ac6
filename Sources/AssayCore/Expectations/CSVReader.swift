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
    /// The bytes of fields, one after the other, and where each ends: of the records that were not given out, and of the one
    /// that is read.
    private var bytes: [UInt8] = []
    private var ends: [Int] = []
    private var records: [(line: Int, fields: Range<Int>)] = []
    /// Where the record that is read has its first field, and its first byte.
    private var firstField = 0
    private var firstByte = 0
    private var line = 1
    /// Where the record began.
    private var firstLine = 1
    private var isEmptyLine = true
    private var isAfterReturn = false
    /// How much of a byte order mark was seen at the beginning.
    private var mark: Int? = 0

    private static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]
    private static let newline = UInt8(ascii: "\n")
    private static let carriageReturn = UInt8(ascii: "\r")
    private static let quote = UInt8(ascii: "\"")

    init(separator: UInt8 = UInt8(ascii: ",")) { self.separator = separator }

    /// A record: its fields as they lie among those of others.
    struct Row {
        fileprivate let bytes: [UInt8]
        fileprivate let ends: [Int]
        fileprivate let fields: Range<Int>

        var count: Int { fields.count }

        subscript(index: Int) -> ArraySlice<UInt8> {
            let field = fields.lowerBound + index
            return bytes[(field == 0 ? 0 : ends[field - 1])..<ends[field]]
        }

        func text(_ index: Int) -> String { String(decoding: self[index], as: UTF8.self) }
    }

    /// - Returns: the records that have come to their end, each with the line that it begins in.
    mutating func read(_ piece: UnsafeRawBufferPointer) throws(RecordProblem) -> [(line: Int, row: Row)] {
        var rest = piece[...]
        while let seen = mark, let byte = rest.first {
            if byte == Self.byteOrderMark[seen] {
                mark = seen == 2 ? nil : seen + 1
                rest = rest.dropFirst()
            } else {
                mark = nil
                for skipped in Self.byteOrderMark.prefix(seen) { try consume(skipped) }
            }
        }
        while !rest.isEmpty {
            let run = plainRun(rest)
            if run > 0 {
                try append(rest.prefix(run))
                rest = rest.dropFirst(run)
            } else if let byte = rest.popFirst() {
                try consume(byte)
            }
        }
        return takeRecords()
    }

    /// How many bytes are nothing but content, so that they can be taken at once.
    private func plainRun(_ rest: Slice<UnsafeRawBufferPointer>) -> Int {
        switch state {
        case .plain:
            let (separator, newline, carriageReturn) = (separator, Self.newline, Self.carriageReturn)
            let end = rest.firstIndex { $0 == separator || $0 == newline || $0 == carriageReturn } ?? rest.endIndex
            return end - rest.startIndex
        case .quoted:
            let (quote, newline) = (Self.quote, Self.newline)
            return (rest.firstIndex { $0 == quote || $0 == newline } ?? rest.endIndex) - rest.startIndex
        case .beginning, .afterQuote: return 0
        }
    }

    /// The file has ended.
    mutating func finish() throws(RecordProblem) -> [(line: Int, row: Row)] {
        if state == .quoted { throw RecordProblem(line: firstLine, message: "a quoted field does not end") }
        endRecord()
        return takeRecords()
    }

    private mutating func takeRecords() -> [(line: Int, row: Row)] {
        let (bytes, ends) = (bytes, ends)
        let result = records.map { ($0.line, Row(bytes: bytes, ends: ends, fields: $0.fields)) }
        // What is left is the record that is read.
        self.bytes = Array(bytes[firstByte...])
        self.ends = ends[firstField...].map { $0 - firstByte }
        (firstByte, firstField) = (0, 0)
        records.removeAll(keepingCapacity: true)
        return result
    }

    private mutating func consume(_ byte: UInt8) throws(RecordProblem) {
        let wasReturn = isAfterReturn
        isAfterReturn = byte == Self.carriageReturn
        if byte == Self.newline, wasReturn, state != .quoted { return }
        if state == .quoted {
            if byte == Self.quote { state = .afterQuote } else { try append(CollectionOfOne(byte)) }
            if byte == Self.newline { line += 1 }
            return
        }
        switch byte {
        case Self.newline, Self.carriageReturn:
            endRecord()
            line += 1
            firstLine = line
        case separator:
            endField()
        case Self.quote where state == .beginning:
            state = .quoted
            isEmptyLine = false
        case Self.quote where state == .afterQuote:
            try append(CollectionOfOne(byte))
            state = .quoted
        default:
            guard state != .afterQuote else {
                throw RecordProblem(line: line, message: "there is something behind the end of a quoted field")
            }
            state = .plain
            isEmptyLine = false
            try append(CollectionOfOne(byte))
        }
    }

    private mutating func append(_ more: some Collection<UInt8>) throws(RecordProblem) {
        guard bytes.count - firstByte + more.count <= Self.longest else {
            throw RecordProblem(line: firstLine, message: "a record is longer than \(Self.longest) bytes")
        }
        bytes.append(contentsOf: more)
        isAfterReturn = false
    }

    private mutating func endField() {
        ends.append(bytes.count)
        state = .beginning
        isEmptyLine = false
    }

    private mutating func endRecord() {
        if !isEmptyLine {
            endField()
            records.append((firstLine, firstField..<ends.count))
        }
        (firstByte, firstField) = (bytes.count, ends.count)
        state = .beginning
        isEmptyLine = true
    }
}
