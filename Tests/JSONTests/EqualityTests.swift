import JSON
import Testing

@Suite struct EqualityTests {
    /// "é" as one scalar and as two: equal to Swift, and not the same text.
    private static let (composed, decomposed) = ("caf\u{E9}", "cafe\u{301}")

    @Test func stringsAreEqualByteForByte() {
        #expect(Self.composed == Self.decomposed)
        #expect(JSONValue.string(Self.composed) != .string(Self.decomposed))
        #expect(JSONValue.string(Self.composed) == .string(Self.composed))
        #expect(JSONValue.array([.string(Self.composed)]) != .array([.string(Self.decomposed)]))
    }

    @Test func keysAreEqualByteForByte() {
        let (one, other) = (JSONObject([(Self.composed, 1)]), JSONObject([(Self.decomposed, 1)]))
        #expect(JSONValue.object(one) != .object(other))
    }

    @Test func aChangeOfTheFormAloneIsAChange() {
        let (old, new): (JSONValue, JSONValue) = (["a": .string(Self.composed)], ["a": .string(Self.decomposed)])
        #expect(old.mergePatch(to: new) == new)
    }
}
