/// A document that is well-formed JSON but not of the expected shape.
public struct JSONShapeError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The path of the offending field, as users write it: `spec.steps[2].name`.
    public var path: String
    public var message: String

    public init(path: String, message: String) {
        self.path = path
        self.message = message
    }

    public var description: String { path.isEmpty ? message : "\(path): \(message)" }
}

/// A place in a document that knows its path, so that errors name the field.
///
/// An absent member and an explicit null are the same, as they are for the API server.
public struct JSONCursor: Sendable {
    public let value: JSONValue?
    public let path: String

    public init(_ value: JSONValue?, path: String = "") {
        self.value = value.flatMap { $0.isNull ? nil : $0 }
        self.path = path
    }

    public var exists: Bool { value != nil }

    public subscript(key: String) -> JSONCursor {
        JSONCursor(value?[key], path: path.isEmpty ? key : "\(path).\(key)")
    }

    public subscript(index: Int) -> JSONCursor { JSONCursor(value?[index], path: "\(path)[\(index)]") }

    public func failure(_ message: String) -> JSONShapeError { JSONShapeError(path: path, message: message) }

    private func optional<T>(_ type: String, _ read: (JSONValue) -> T?) throws(JSONShapeError) -> T? {
        guard let value else { return nil }
        guard let result = read(value) else { throw failure("must be \(type), not \(value.typeName)") }
        return result
    }

    private func required<T>(_ value: T?) throws(JSONShapeError) -> T {
        guard let value else { throw failure("is required") }
        return value
    }

    public func optionalString() throws(JSONShapeError) -> String? { try optional("a string") { $0.string } }
    public func string() throws(JSONShapeError) -> String { try required(optionalString()) }
    public func optionalBool() throws(JSONShapeError) -> Bool? { try optional("a boolean") { $0.bool } }
    public func bool() throws(JSONShapeError) -> Bool { try required(optionalBool()) }
    public func optionalInteger() throws(JSONShapeError) -> Int64? { try optional("an integer") { $0.integer } }
    public func integer() throws(JSONShapeError) -> Int64 { try required(optionalInteger()) }
    public func optionalInt() throws(JSONShapeError) -> Int? { try optional("an integer") { $0.int } }
    public func int() throws(JSONShapeError) -> Int { try required(optionalInt()) }
    public func optionalDouble() throws(JSONShapeError) -> Double? { try optional("a number") { $0.double } }
    public func double() throws(JSONShapeError) -> Double { try required(optionalDouble()) }
    public func optionalObject() throws(JSONShapeError) -> JSONObject? { try optional("an object") { $0.object } }
    public func object() throws(JSONShapeError) -> JSONObject { try required(optionalObject()) }

    /// The elements as cursors; an absent list is empty.
    public func elements() throws(JSONShapeError) -> [JSONCursor] {
        let array = try optional("an array") { $0.array } ?? []
        return array.enumerated().map { JSONCursor($1, path: "\(path)[\($0)]") }
    }

    public func strings() throws(JSONShapeError) -> [String] {
        var result: [String] = []
        for element in try elements() { result.append(try element.string()) }
        return result
    }

    /// A map of strings; an absent one is empty.
    public func stringMap() throws(JSONShapeError) -> [String: String] {
        var result: [String: String] = [:]
        for (key, _) in try optionalObject() ?? [:] { result[key] = try self[key].string() }
        return result
    }
}
