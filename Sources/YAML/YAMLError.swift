/// Why a YAML document was refused, and where.
public struct YAMLError: Error, Sendable, Hashable, CustomStringConvertible {
    public var message: String
    /// The line, from 1.
    public var line: Int
    /// The column, from 1.
    public var column: Int

    public init(_ message: String, line: Int, column: Int) {
        self.message = message
        self.line = line
        self.column = column
    }

    public var description: String { "invalid YAML at line \(line), column \(column): \(message)" }
}

/// A place in the text, counted from 1.
struct YAMLPosition: Sendable, Hashable {
    var line: Int
    var column: Int

    func error(_ message: String) -> YAMLError { YAMLError(message, line: line, column: column) }
}
