import JSON

enum JSONProperties {
    static func check(_ input: [UInt8]) throws {
        let read = outcome { () throws(JSONError) in try JSONValue(parsing: input) }
        let padded = [UInt8(ascii: "7")] + input + [UInt8(ascii: "7")]
        let sliced = outcome { () throws(JSONError) in try JSONValue(parsing: padded[1..<(padded.count - 1)]) }
        try hold("a slice reads as the bytes alone", read == sliced, [read, sliced])
        switch read {
        case .failure(let error):
            try hold("an error lies within the input", (0...input.count).contains(error.offset), [error, input.count])
        case .success(let value):
            try roundTrip(value)
            if let pair = value.array, pair.count == 2 { try mergePatch(from: pair[0], to: pair[1]) }
        }
    }

    private static func outcome(_ body: () throws(JSONError) -> JSONValue) -> Result<JSONValue, JSONError> {
        do throws(JSONError) {
            return .success(try body())
        } catch {
            return .failure(error)
        }
    }

    private static func roundTrip(_ value: JSONValue) throws {
        let text = value.serializedBytes()
        let again = try JSONValue(parsing: text)
        try hold("what is written is read as the same value", again == wholeNumbersAsIntegers(value), [value, again])
        try hold("the canonical text is a fixed point", again.serializedBytes() == text, [value, again])
    }

    /// The one thing that the canonical text does not keep: that an integer was written as a double.
    private static func wholeNumbersAsIntegers(_ value: JSONValue) -> JSONValue {
        switch value {
        case .number(let number):
            Int64(exactly: number).flatMap { $0.magnitude < 1_000_000_000_000_000 ? .integer($0) : nil } ?? value
        case .array(let elements): .array(elements.map(wholeNumbersAsIntegers))
        case .object(let object): .object(object.mapValues(wholeNumbersAsIntegers))
        default: value
        }
    }

    /// `mergePatch` gives what turns one document into the other, nulls aside; equality is that of the text.
    private static func mergePatch(from old: JSONValue, to new: JSONValue) throws {
        let sameText = old.serializedBytes() == new.serializedBytes()
        if old == new { try hold("equal documents have equal text", sameText, [old, new]) }
        let patch = old.mergePatch(to: new)
        let result = patch.map(old.merging(patch:)) ?? old
        try hold(
            "a merge patch leads to its target",
            withoutNulls(result).serializedBytes() == withoutNulls(new).serializedBytes(),
            [old, new, patch as Any, result])
    }

    private static func withoutNulls(_ value: JSONValue) -> JSONValue {
        guard case .object(let object) = value else { return value }
        return .object(object.filter { !$0.value.isNull }.mapValues(withoutNulls))
    }
}
