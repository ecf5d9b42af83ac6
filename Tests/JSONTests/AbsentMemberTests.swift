import JSON
import Testing

@Suite struct AbsentMemberTests {
    @Test func `an absent member is nil, not null`() {
        let value: JSONValue = ["a": 1, "b": .null]
        #expect(value["c"] == Optional<JSONValue>.none)
        #expect(value["b"] == .some(.null))
        var object: JSONObject = ["a": 1]
        #expect(object.removeValue(forKey: "c") == Optional<JSONValue>.none)
        #expect(!JSONCursor(.null).exists)
        #expect(value.mergePatch(to: value) == Optional<JSONValue>.none)
    }
}
