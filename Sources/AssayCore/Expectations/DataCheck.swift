import JSON

/// Holds the records of an artifact's files against an expectation, as they are read. It keeps counts and places, and nothing
/// of what is in the records: what it says may be read by whoever may not read the data.
public struct DataCheck {
    /// What is not as it should be.
    fileprivate struct Fault {
        var count = 0
        /// `rows.csv line 7`
        var first = ""
    }

    private struct ColumnState {
        let column: DataExpectation.Column
        let values: Set<String>
        /// In the file that is read; nil where that has none of the name.
        var place: Int?
        var missing = Fault()
        var wrongType = Fault()
        var outOfRange = Fault()
        var notAllowed = Fault()

        init(_ column: DataExpectation.Column) {
            self.column = column
            values = Set(column.values)
        }
    }

    private let expectation: DataExpectation
    private let missing: Set<String>
    private var columns: [ColumnState]
    private var file = ""
    private var header: Int?
    private var csv = CSVReader()
    private var lines = JSONLinesReader()
    private var rows: Int64 = 0
    private var files = 0
    private var fileProblems: [String] = []
    private var strangers = Fault()

    private static let mostProblems = 32

    public init(_ expectation: DataExpectation) {
        self.expectation = expectation
        missing = Set(expectation.missingValues)
        columns = expectation.columns.map(ColumnState.init)
    }

    /// Whether a file of this name is read.
    public func reads(_ name: String) -> Bool {
        let lowercased = name.lowercased()
        return expectation.format.endings.contains { lowercased.hasSuffix($0) }
    }

    // MARK: Reading

    public mutating func begin(file name: String) {
        file = name
        files += 1
        header = nil
        csv = CSVReader(separator: expectation.separator?.utf8.first ?? UInt8(ascii: ","))
        lines = JSONLinesReader()
    }

    /// - Returns: whether there is any use in the rest of the file.
    public mutating func read(_ bytes: UnsafeRawBufferPointer) -> Bool {
        do throws(RecordProblem) {
            switch expectation.format {
            case .csv: for (line, row) in try csv.read(bytes) { try take(row, line) }
            case .jsonLines: for (line, object) in try lines.read(bytes) { try take(object, line) }
            }
            return true
        } catch {
            note(error)
            return false
        }
    }

    /// Of a file that was read to its end.
    public mutating func endFile() {
        do throws(RecordProblem) {
            switch expectation.format {
            case .csv:
                for (line, row) in try csv.finish() { try take(row, line) }
                if header == nil { throw RecordProblem(line: 1, message: "there is no header") }
            case .jsonLines: for (line, object) in try lines.finish() { try take(object, line) }
            }
        } catch { note(error) }
    }

    private mutating func note(_ problem: RecordProblem) {
        guard fileProblems.count < Self.mostProblems else { return }
        fileProblems.append("\(file) line \(problem.line): \(problem.message)")
    }

    private mutating func take(_ row: CSVReader.Row, _ line: Int) throws(RecordProblem) {
        guard let width = header else {
            try takeHeader(row, line)
            return
        }
        guard row.count == width else {
            throw RecordProblem(line: line, message: "there are \(row.count) fields, and \(width) columns")
        }
        rows += 1
        for index in columns.indices {
            guard let place = columns[index].place else { continue }
            let text = row.text(place)
            note(index, text.isEmpty || missing.contains(text) ? nil : .text(text), line)
        }
    }

    private mutating func takeHeader(_ row: CSVReader.Row, _ line: Int) throws(RecordProblem) {
        var places: [String: Int] = [:]
        for index in 0..<row.count {
            guard places.updateValue(index, forKey: row.text(index)) == nil else {
                throw RecordProblem(line: line, message: "two columns have one name")
            }
        }
        header = row.count
        for index in columns.indices { columns[index].place = places[columns[index].column.name] }
        let absent = columns.filter { $0.place == nil }.map(\.column.name)
        if row.count > columns.count - absent.count { noteStrangers(line) }
        guard absent.isEmpty else {
            throw RecordProblem(line: line, message: "there is no column \(absent.prefix(8).joined(separator: ", "))")
        }
    }

    private mutating func take(_ object: JSONObject, _ line: Int) throws(RecordProblem) {
        rows += 1
        var known = 0
        for index in columns.indices {
            let value = object[columns[index].column.name]
            if value != nil { known += 1 }
            let isMissing = value?.isNull ?? true || value?.string.map(missing.contains) == true
            note(index, isMissing ? nil : value.map(Value.json), line)
        }
        if object.count > known { noteStrangers(line) }
    }

    private mutating func noteStrangers(_ line: Int) {
        guard expectation.allowsOtherColumns == false else { return }
        strangers.note("\(file) line \(line)")
    }

    // MARK: Judging

    private enum Value {
        case text(String)
        case json(JSONValue)
    }

    private mutating func note(_ index: Int, _ value: Value?, _ line: Int) {
        let place = { [file] in "\(file) line \(line)" }
        guard let value else {
            columns[index].missing.note(place())
            return
        }
        let column = columns[index].column
        if column.isNumeric {
            guard let number = Self.number(value, isInteger: column.type == .integer) else {
                columns[index].wrongType.note(place())
                return
            }
            if number < column.min ?? number || number > column.max ?? number {
                columns[index].outOfRange.note(place())
            }
        } else if !Self.isOfType(column.type, value) {
            columns[index].wrongType.note(place())
        } else if !column.values.isEmpty, let text = Self.text(value), !columns[index].values.contains(text) {
            columns[index].notAllowed.note(place())
        }
    }

    /// A finite one; of CSV as `MetricValue` reads it.
    private static func number(_ value: Value, isInteger: Bool) -> Double? {
        let number: Double
        switch value {
        case .text(let text):
            // Most are plain, and need no look at what else there may be.
            if text.utf8.allSatisfy({ "0123456789.-+eE".utf8.contains($0) }) {
                guard let read = Double(text) else { return nil }
                number = read
            } else {
                guard case .finite(let read) = MetricValue(text: text) else { return nil }
                number = read
            }
        case .json(.integer(let integer)): number = Double(integer)
        case .json(.number(let read)): number = read
        case .json: return nil
        }
        guard number.isFinite, !isInteger || number.rounded() == number else { return nil }
        return number
    }

    private static func isOfType(_ type: DataExpectation.Column.Kind, _ value: Value) -> Bool {
        switch value {
        case .text(let text): type == .string || ["true", "false", "0", "1"].contains(text.lowercased())
        case .json(.string): type == .string
        case .json(.bool): type == .boolean
        case .json: false
        }
    }

    private static func text(_ value: Value) -> String? {
        switch value {
        case .text(let text): text
        case .json(let json): json.string
        }
    }

    // MARK: What comes of it

    /// What is not as expected, for people: rules, counts and places. Empty when all is well.
    public var problems: [String] {
        guard files > 0 else {
            return [
                "\(expectation.output) has no file that ends with \(expectation.format.endings.joined(separator: " or "))"
            ]
        }
        var result = fileProblems.map { "\(expectation.output): \($0)" }
        func add(_ text: String) { result.append("\(expectation.output): \(text)") }
        if let least = expectation.rows?.min, rows < least {
            add("there are \(rows) rows, and at least \(least) are expected")
        }
        if let most = expectation.rows?.max, rows > most {
            add("there are \(rows) rows, and at most \(most) are expected")
        }
        if strangers.count > 0 { add("there are columns that are not expected, first in \(strangers.first)") }
        for state in columns { for text in self.problems(of: state) { add("column \(state.column.name): \(text)") } }
        return result
    }

    private func problems(of state: ColumnState) -> [String] {
        var result: [String] = []
        let column = state.column
        let share = column.maxMissingShare ?? 0
        if Double(state.missing.count) > share * Double(rows) {
            result.append(
                "\(state.missing.count) of \(rows) values are missing, first in \(state.missing.first), and "
                    + (share == 0 ? "none may be" : "at most the part \(Number.exact(share)) may be"))
        }
        for (fault, what) in [
            (state.wrongType, "are no \(column.type.rawValue)"), (state.outOfRange, "are not \(column.range)"),
            (state.notAllowed, "are none of those that are allowed"),
        ] where fault.count > 0 {
            result.append("\(fault.count) of \(rows) values \(what), first in \(fault.first)")
        }
        return result
    }
}

extension DataCheck.Fault {
    fileprivate mutating func note(_ place: @autoclosure () -> String) {
        if count == 0 { first = place() }
        count += 1
    }
}

extension DataExpectation.Column {
    fileprivate var range: String {
        switch (min, max) {
        case (let min?, let max?): "from \(Number.exact(min)) to \(Number.exact(max))"
        case (let min?, nil): "\(Number.exact(min)) or more"
        case (nil, let max?): "\(Number.exact(max)) or less"
        case (nil, nil): "in range"
        }
    }
}
