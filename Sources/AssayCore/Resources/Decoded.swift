import JSON

/// A part of an object that may not have the expected shape.
///
/// An old server lets through what the schema forbids, and such an object must end in a condition, not in an error that
/// keeps the whole list from being read.
public enum Decoded<Value: Sendable & Hashable>: Sendable, Hashable {
    case valid(Value)
    case invalid(JSONShapeError, raw: JSONValue)

    public var value: Value? {
        if case .valid(let value) = self { value } else { nil }
    }

    public init(_ cursor: JSONCursor, _ read: (JSONCursor) throws(JSONShapeError) -> Value) {
        do {
            self = .valid(try read(cursor))
        } catch {
            self = .invalid(error, raw: cursor.value ?? .null)
        }
    }
}
