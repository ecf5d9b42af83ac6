import JSON
import Testing

@Suite("The JSON parser")
struct JSONParserTests {
    @Test(
        "reads values",
        arguments: [
            ("null", .null), (" true ", true), ("false", false), ("0", 0), ("-0", 0), ("12", 12), ("-7", -7),
            ("9223372036854775807", .integer(.max)), ("-9223372036854775808", .integer(.min)), ("1.5", 1.5),
            ("1e2", .number(100)), ("1E+2", .number(100)), ("25e-1", .number(2.5)), ("0.1", .number(0.1)),
            ("9223372036854775808", .number(9_223_372_036_854_775_808)), ("1e-400", .number(0)),
            ("\"\"", ""), ("\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "a\"\\/\u{8}\u{C}\n\r\t"), ("\"\\u00e9\"", "é"),
            ("\"\\ud83d\\ude00\"", "😀"), ("\"é😀\"", "é😀"), ("\"\\u0000\"", "\u{0}"), ("[]", []),
            ("[1, [2], {}]", [1, [2], [:]]),
            ("{}", [:]), ("{\"a\":1,\"b\":[null]}", ["a": 1, "b": [.null]]), ("\t\r\n {\n} ", [:]),
            ("{\"a\":1,\"a\":2}", ["a": 2]), ("{\"b\":1,\"a\":2,\"b\":3}", ["a": 2, "b": 3]),
        ] as [(String, JSONValue)])
    func values(text: String, expected: JSONValue) throws {
        #expect(try JSONValue(parsing: text) == expected)
    }

    @Test(
        "refuses what is no JSON",
        arguments: [
            "", " ", "nul", "nulll", "True", "01", "-", "-a", "+1", ".5", "5.", "1e", "1e+", "0x1", "1 2", "NaN",
            "Infinity",
            "\"", "\"a", "\"\\\"", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"", "\"\\ud800\"", "\"\\udc00\"",
            "\"\\ud800\\u0041\"", "\"\\ud800x\"", "\"\n\"", "\"\u{1}\"", "[", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "]",
            "{", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}", "{a:1}", "{1:1}", "{\"a\" 1}", "{,}", "}",
            "'a'", "// c\n1", "1e999", "-1e999", "\u{FEFF}1", "[1]]", "{}{}",
        ])
    func refused(text: String) {
        #expect(throws: JSONError.self) { try JSONValue(parsing: text) }
    }

    @Test(
        "refuses bytes that are no UTF-8",
        arguments: [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xC3], [0xE2, 0x82]]
            as [[UInt8]])
    func invalidUTF8(bytes: [UInt8]) {
        #expect(throws: JSONError.self) { try JSONValue(parsing: [0x22] + bytes + [0x22]) }
        #expect(throws: JSONError.self) { try JSONValue(parsing: Array("{\"".utf8) + bytes + Array("\":1}".utf8)) }
    }

    @Test("says where it stopped")
    func offsets() {
        func offset(_ text: String) -> Int? {
            #expect(throws: JSONError.self) { try JSONValue(parsing: text) }?.offset
        }
        #expect(offset("{\"a\": tru}") == 6)
        #expect(offset("[1, 2") == 5)
        #expect(offset("[1] x") == 4)
        #expect(JSONError("no", offset: 3).description == "invalid JSON at byte 3: no")
    }

    @Test("bounds the depth, so that no document exhausts the stack")
    func depth() throws {
        func nested(_ depth: Int, _ open: String, _ close: String) -> String {
            String(repeating: open, count: depth) + "1" + String(repeating: close, count: depth)
        }
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            #expect(throws: Never.self) { try JSONValue(parsing: nested(512, open, close)) }
            #expect(throws: JSONError.self) { try JSONValue(parsing: nested(513, open, close)) }
            #expect(throws: JSONError.self) { try JSONValue(parsing: nested(1_000_000, open, close)) }
            #expect(throws: JSONError.self) { try JSONValue(parsing: String(repeating: open, count: 1_000_000)) }
            #expect(throws: JSONError.self) {
                try JSONValue(parsing: nested(4, open, close), limits: JSONLimits(depth: 3))
            }
        }
        // Depth, not the number of brackets.
        let wide = "[" + Array(repeating: "[]", count: 10_000).joined(separator: ",") + "]"
        #expect(try JSONValue(parsing: wide).array?.count == 10_000)
    }

    @Test("a slice is read by itself, with its own offsets in bounds")
    func slices() throws {
        let bytes = Array("xx{\"a\":[1]}yy".utf8)
        #expect(try JSONValue(parsing: bytes[2..<11]) == ["a": [1]])
        #expect(throws: JSONError.self) { try JSONValue(parsing: bytes[2..<10]) }
        #expect(throws: JSONError.self) { try JSONValue(parsing: bytes[0..<0]) }
    }

    @Test("every document that is written is read as the same, and written the same again")
    func roundTrip() throws {
        var generator = DocumentGenerator(seed: 1)
        for _ in 0..<5000 {
            let value = generator.value(depth: 5)
            let text = value.serialized()
            let read = try JSONValue(parsing: text)
            #expect(read.serialized() == text)
            #expect(read == value, "\(text)")
        }
    }

    @Test("no damage to a document makes the parser trap or accept what it would not write")
    func mutations() {
        var generator = DocumentGenerator(seed: 2)
        for _ in 0..<20_000 {
            var bytes = generator.value(depth: 4).serializedBytes()
            for _ in 0...generator.below(3) {
                let index = generator.below(bytes.count + 1)
                switch generator.below(4) {
                case 0: bytes.insert(UInt8(generator.below(256)), at: index)
                case 1 where index < bytes.count: bytes[index] = UInt8(generator.below(256))
                case 2 where index < bytes.count: bytes.remove(at: index)
                default: bytes.removeLast(min(bytes.count, generator.below(4)))
                }
            }
            do throws(JSONError) {
                let value = try JSONValue(parsing: bytes)
                #expect(throws: Never.self) {
                    let again = try JSONValue(parsing: value.serializedBytes())
                    #expect(again.serialized() == value.serialized())
                }
            } catch {
                #expect((0...bytes.count).contains(error.offset))
            }
        }
    }
}

/// Documents in an order that the seed gives.
struct DocumentGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func below(_ bound: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int(state >> 33) % max(1, bound)
    }

    private mutating func text() -> String {
        let pieces = [
            "a", "key", "é", "e\u{301}", "😀", "\"", "\\", "\n", "\u{0}", "\u{7F}", " ", "/", "x.y/z", "\u{2028}",
        ]
        return (0..<below(4)).map { _ in pieces[below(pieces.count)] }.joined()
    }

    private mutating func double() -> Double {
        // Never an integer, which would be read back as one.
        Double(below(2_000_000) - 1_000_000) / 7 + 0.001
    }

    mutating func value(depth: Int) -> JSONValue {
        switch below(depth > 0 ? 9 : 6) {
        case 0: return .null
        case 1: return .bool(below(2) == 0)
        case 2: return .integer(Int64(below(1 << 30)) - 1 << 29)
        case 3: return .integer([.max, .min, 0, -1][below(4)])
        case 4: return .number([double(), double() * 1e200, double() * 1e-200, 0.1, -2.5e-8][below(5)])
        case 5: return .string(text())
        case 6: return .array((0..<below(4)).map { _ in value(depth: depth - 1) })
        default: return .object(JSONObject((0..<below(5)).map { _ in (text(), value(depth: depth - 1)) }))
        }
    }
}
