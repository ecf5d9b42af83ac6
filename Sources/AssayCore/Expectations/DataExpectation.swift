import JSON

/// What the records in an artifact have to be like, so that nothing is trained on what is not.
///
/// It counts for all files of one format together: CSV (RFC 4180, with a header) or JSON Lines (an object on each line).
public struct DataExpectation: Sendable, Hashable {
    public enum Format: String, Sendable, Hashable, CaseIterable {
        case csv = "CSV"
        case jsonLines = "JSONLines"

        /// How the files' names end.
        var endings: [String] { self == .csv ? [".csv"] : [".jsonl", ".ndjson"] }
    }

    /// Between which counts; both ends are allowed.
    public struct Rows: Sendable, Hashable {
        public var min: Int64?
        public var max: Int64?
    }

    /// The artifact, an output of the step.
    public var output: String
    public var format: Format
    /// Of CSV; a comma unless given.
    public var separator: String?
    public var rows: Rows?
    public var columns: [Column]
    /// Whether columns may be there that are not named; they may unless it is false.
    public var allowsOtherColumns: Bool?
    /// What stands for no value, beside nothing and `null`.
    public var missingValues: [String]

    public static let mostColumns = 256
    static let mostValues = 256
    /// In bytes, as JSON: it is one of the arguments of a container.
    static let longest = 65_536

    public init(json cursor: JSONCursor) throws(JSONShapeError) {
        output = try cursor["output"].string()
        format = try cursor["format"].requiredEnum()
        separator = try cursor["separator"].optionalString()
        if cursor["rows"].exists {
            rows = Rows(
                min: try cursor["rows"]["min"].optionalInteger(), max: try cursor["rows"]["max"].optionalInteger())
        }
        columns = try cursor["columns"].map { element throws(JSONShapeError) in try Column(json: element) }
        allowsOtherColumns = try cursor["allowsOtherColumns"].optionalBool()
        missingValues = try cursor["missingValues"].strings()
    }

    public var json: JSONValue {
        var result: JSONValue = ["output": .string(output), "format": .string(format.rawValue)]
        result["separator"] = JSONValue(separator)
        if let rows {
            result["rows"] = [:]
            if let min = rows.min { result["rows", "min"] = .integer(min) }
            if let max = rows.max { result["rows", "max"] = .integer(max) }
        }
        if !columns.isEmpty { result["columns"] = JSONValue(columns.map(\.json)) }
        if let allowsOtherColumns { result["allowsOtherColumns"] = .bool(allowsOtherColumns) }
        if !missingValues.isEmpty { result["missingValues"] = JSONValue(missingValues) }
        return result
    }
}

extension DataExpectation {
    public struct Column: Sendable, Hashable {
        public enum Kind: String, Sendable, Hashable, CaseIterable {
            /// A finite one.
            case number = "Number"
            case integer = "Integer"
            case boolean = "Boolean"
            case string = "String"
        }

        public var name: String
        public var type: Kind
        /// Of numbers; both ends are allowed.
        public var min: Double?
        public var max: Double?
        /// Of strings: the only ones that are allowed.
        public var values: [String]
        /// Which part of all rows may have no value; none unless given.
        public var maxMissingShare: Double?

        public init(json cursor: JSONCursor) throws(JSONShapeError) {
            name = try cursor["name"].string()
            type = try cursor["type"].requiredEnum()
            min = try cursor["min"].optionalDouble()
            max = try cursor["max"].optionalDouble()
            values = try cursor["values"].strings()
            maxMissingShare = try cursor["maxMissingShare"].optionalDouble()
        }

        public var json: JSONValue {
            var result: JSONValue = ["name": .string(name), "type": .string(type.rawValue)]
            for (field, value) in [("min", min), ("max", max), ("maxMissingShare", maxMissingShare)] {
                result[.init(field)] = value.map { Int64(exactly: $0).map(JSONValue.integer) ?? .number($0) }
            }
            if !values.isEmpty { result["values"] = JSONValue(values) }
            return result
        }

        var isNumeric: Bool { type == .number || type == .integer }
    }
}

extension DataExpectation {
    /// What of it cannot be meant, in a step that has these outputs.
    func problems(of outputs: [String], at path: String) -> [FieldProblem] {
        let isOutput = outputs.contains(output)
        return (isOutput ? [] : [FieldProblem("\(path).output", "the step has no output \(output)")])
            + problems(at: path)
    }

    /// What of it cannot be meant.
    public func problems(at path: String) -> [FieldProblem] {
        var problems: [FieldProblem] = []
        func refuse(_ field: String, _ message: String) { problems.append(FieldProblem("\(path).\(field)", message)) }
        if let separator {
            if separator.utf8.count != 1 || ["\"", "\n", "\r"].contains(separator) {
                refuse("separator", "must be one ASCII character, and neither a quotation mark nor the end of a line")
            } else if format != .csv {
                refuse("separator", "has no meaning for \(format.rawValue); remove it")
            }
        }
        if let min = rows?.min, min < 0 { refuse("rows.min", "must not be negative") }
        if let max = rows?.max, max < rows?.min ?? 0 { refuse("rows.max", "is less than the fewest that there may be") }
        if columns.count > Self.mostColumns { refuse("columns", "has more than \(Self.mostColumns) entries") }
        var names: Set<String> = []
        for (index, column) in columns.enumerated() {
            if !names.insert(column.name).inserted { refuse("columns[\(index)].name", "\(column.name) is there twice") }
            problems += column.problems(at: "\(path).columns[\(index)]")
        }
        if json.serializedBytes().count > Self.longest {
            problems.append(FieldProblem(path, "is longer than \(Self.longest) bytes"))
        }
        if rows == nil, columns.isEmpty { problems.append(FieldProblem(path, "expects nothing; give rows or columns")) }
        return problems
    }
}

extension DataExpectation.Column {
    fileprivate func problems(at path: String) -> [FieldProblem] {
        var problems: [FieldProblem] = []
        func refuse(_ field: String, _ message: String) { problems.append(FieldProblem("\(path).\(field)", message)) }
        if name.isEmpty { refuse("name", "must not be empty") }
        if !isNumeric {
            for (field, value) in [("min", min), ("max", max)] where value != nil {
                refuse(field, "has no meaning for \(type.rawValue); remove it")
            }
        }
        if let min, let max, max < min { refuse("max", "is less than min") }
        if type != .string, !values.isEmpty { refuse("values", "has no meaning for \(type.rawValue); remove it") }
        if values.count > DataExpectation.mostValues {
            refuse("values", "has more than \(DataExpectation.mostValues) entries")
        }
        if let share = maxMissingShare, !(0...1).contains(share) {
            refuse("maxMissingShare", "must be from 0 to 1")
        }
        return problems
    }
}
