import JSON

/// A request, and the answer that was given to it when the model was evaluated: one line of a golden artifact.
///
/// `{"path": "/v2/models/wine/infer", "request": {…}, "response": {…}}`. The request is sent by POST, as JSON.
public struct GoldenRecord: Sendable, Hashable {
    /// For messages: `golden.jsonl line 3`
    public var place: String
    public var path: String
    public var request: JSONValue
    public var response: JSONValue

    /// What a golden artifact may have together.
    public static let most = 10_000
    public static let mostBytes = 8 << 20

    /// Why it cannot be used.
    public struct Problem: Error, Sendable, Hashable, CustomStringConvertible {
        public var description: String

        public init(description: String) { self.description = description }
    }

    /// Whether a file of this name has records in it.
    public static func isRecords(_ name: String) -> Bool {
        let lowercased = name.lowercased()
        return DataExpectation.Format.jsonLines.endings.contains { lowercased.hasSuffix($0) }
    }

    /// Reads the lines of one file; empty ones are none.
    /// - Parameter defaultPath: where requests go whose record does not say it.
    public static func read(
        _ text: [UInt8], file: String, defaultPath: String?
    ) throws(Problem) -> [GoldenRecord] {
        var records: [GoldenRecord] = []
        for (index, line) in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
            guard line.contains(where: { !" \t\r".utf8.contains($0) }) else { continue }
            records.append(try GoldenRecord(line, place: "\(file) line \(index + 1)", defaultPath: defaultPath))
        }
        return records
    }

    private init(_ line: ArraySlice<UInt8>, place: String, defaultPath: String?) throws(Problem) {
        self.place = place
        let value: JSONValue
        do { value = try JSONValue(parsing: line) } catch {
            throw Problem(description: "\(place): is no JSON, from its byte \(error.offset) on")
        }
        guard let request = value["request"], let response = value["response"] else {
            throw Problem(description: "\(place): must be an object with request and response")
        }
        guard let path = value["path"]?.string ?? defaultPath else {
            throw Problem(
                description: "\(place): has no path, and spec.validation.golden.path does not say where requests go")
        }
        guard Self.isPath(path) else {
            throw Problem(description: "\(place): its path must begin with / and have no spaces, line ends or #")
        }
        self.path = path
        self.request = request
        self.response = response
    }

    /// What can stand in a request line.
    static func isPath(_ text: String) -> Bool {
        text.hasPrefix("/") && text.utf8.count <= 1024
            && text.utf8.allSatisfy { (0x21..<0x7F).contains($0) && $0 != 0x23 }
    }
}
