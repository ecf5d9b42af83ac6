import JSON
import Testing

@Suite("The wanted members of a document")
struct JSONFieldsTests {
    @Test(
        "are built and the others left out",
        arguments: [
            (JSONFields("a"), #"{"a":{"x":[1]},"b":2}"#, ["a": ["x": [1]]]),
            (JSONFields("a.x"), #"{"a":{"x":1,"y":2},"x":3}"#, ["a": ["x": 1]]),
            (JSONFields("a.x", "a.y"), #"{"a":{"z":0,"y":2,"x":1}}"#, ["a": ["x": 1, "y": 2]]),
            (JSONFields("a", "a.x"), #"{"a":{"x":1,"y":2}}"#, ["a": ["x": 1, "y": 2]]),
            (JSONFields("a.x", "a"), #"{"a":{"x":1,"y":2}}"#, ["a": ["x": 1, "y": 2]]),
            (JSONFields("a.x").union(JSONFields("b")), #"{"b":[2],"a":{"x":1,"y":2}}"#, ["a": ["x": 1], "b": [2]]),
            (JSONFields("a.x"), #"{"a":[{"x":1,"y":2},{"y":3},4]}"#, ["a": [["x": 1], [:], 4]]),
            (JSONFields("a.x"), #"{"a":7}"#, ["a": 7]),
            (JSONFields("a"), #"{"\u0061":1,"\u0062":"\n"}"#, ["a": 1]),
            (JSONFields("é"), #"{"é":1,"e":"ü"}"#, ["é": 1]),
            (JSONFields("a"), #"{"a":1,"b":{"a":3},"a":2}"#, ["a": 2]),
            (JSONFields("a"), " { \"b\" : [ ] , \"a\" : { } } ", ["a": [:]]),
            (JSONFields(), #"{"a":[[]],"b":{"c":{}}}"#, [:]),
            (JSONFields("a"), "[1]", [1]),
        ] as [(JSONFields, String, JSONValue)])
    func built(fields: JSONFields, text: String, expected: JSONValue) throws {
        #expect(try JSONValue(parsing: Array(text.utf8)[...], fields: fields) == expected)
    }

    private static let wrong = [
        #"{"b":01}"#, #"{"b":tru}"#, #"{"b":[1,]}"#, #"{"b":[1 2]}"#, #"{"b":{"c":1,}}"#, #"{"b":{"c"}}"#,
        #"{"b":{c:1}}"#, #"{"b":{"c":1]}"#, #"{"b":"\x"}"#, #"{"b":"\ud800"}"#, "{\"b\":\"\n\"}", #"{"b":"a"#,
        #"{"b":{"c":"#, #"{"b":1e999}"#, #"{"b"}"#, #"{"b":"#, #"{"b":1"#, #"{"b":1} x"#, #"{"b\x":1}"#, "",
        #"{"b":\#(String(repeating: "[", count: 600))\#(String(repeating: "]", count: 600))}"#,
    ]

    @Test("does not let pass what is no JSON among the others", arguments: wrong)
    func refused(text: String) {
        let bytes = Array(text.utf8)[...]
        let whole = #expect(throws: JSONError.self) { try JSONValue(parsing: bytes) }
        let part = #expect(throws: JSONError.self) { try JSONValue(parsing: bytes, fields: JSONFields("a")) }
        #expect(whole == part)
    }

    @Test("does not let pass bytes that are no UTF-8 among the others")
    func invalidUTF8() {
        let bytes = Array("{\"b\":\"".utf8) + [0xC0, 0x80] + Array("\"}".utf8)
        #expect(throws: JSONError.self) { try JSONValue(parsing: bytes[...], fields: JSONFields("a")) }
    }
}
