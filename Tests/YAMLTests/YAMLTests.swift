import JSON
import Testing
import YAML

@Suite struct YAMLTests {
    @Test(
        "A scalar resolves as go-yaml resolves it",
        arguments: [
            ("yes", true), ("No", false), ("on", true), ("OFF", false), ("y", true), ("n", false), ("True", true),
            ("'yes'", "yes"), ("\"1\"", "1"), ("yEs", "yEs"), ("yesterday", "yesterday"),
            ("~", .null), ("null", .null), ("Null", .null), ("''", ""),
            ("12", 12), ("-12", -12), ("+12", 12), ("1_000", 1000), ("0x1F", 31), ("-0x1F", -31), ("017", 15),
            ("0o17", 15), ("0b101", 5), ("-0b101", -5), ("08", 8), ("0", 0), ("00", 0),
            ("9223372036854775807", .integer(.max)), ("-9223372036854775808", .integer(.min)),
            ("9223372036854775808", .number(9_223_372_036_854_775_808)),
            ("1.5", 1.5), ("-.5", -0.5), (".5", 0.5), ("1.", 1), ("1e3", 1000), ("6.02E23", 6.02e23), ("1.0", 1),
            ("1e999", "1e999"), ("1.2.3", "1.2.3"), ("0.9.1", "0.9.1"), ("1e", "1e"), ("--5", "--5"), ("+-5", "+-5"),
            ("0x", "0x"), ("0xfg", "0xfg"), (".", "."), ("100m", "100m"), ("1Gi", "1Gi"),
            ("12:30:45", "12:30:45"), ("2026-01-02", "2026-01-02"), ("2026-01-02T03:04:05Z", "2026-01-02T03:04:05Z"),
            ("!!str 12", "12"), ("!!int '12'", 12), ("!!float 3", 3), ("! 12", "12"), ("!mine 12", "12"),
        ] as [(String, JSONValue)])
    func scalar(_ text: String, _ expected: JSONValue) throws {
        #expect(try JSONValue(yaml: "v: \(text)\n") == ["v": expected], "\(text)")
    }

    @Test("Collections nest in block and flow style, and block scalars keep their lines")
    func collections() throws {
        let text = """
            # a comment
            list:
            - a
            - {b: 1, c: [x, y]}
            -
            keep: |
              one
                two

              three
            fold: >-
              one
              two
            empty: {}
            none:
            """
        let expected: JSONValue = [
            "list": ["a", ["b": 1, "c": ["x", true]], .null], "keep": "one\n  two\n\nthree\n", "fold": "one two",
            "empty": [:], "none": .null,
        ]
        #expect(try JSONValue(yaml: text) == expected)
    }

    @Test("Keys that are no strings become strings")
    func keys() throws {
        let value = try JSONValue(yaml: "1: a\ntrue: b\n0x10: c\n1.5: d\n'2': e\n? f\n: g\n")
        #expect(value == ["1": "a", "true": "b", "16": "c", "1.5": "d", "2": "e", "f": "g"])
    }

    @Test("Keys are the same when their bytes are")
    func keysInTwoForms() throws {
        let (composed, decomposed) = ("caf\u{E9}", "cafe\u{301}")
        let value = try JSONValue(yaml: "\(composed): 1\n\(decomposed): 2\n")
        #expect(value.object?.count == 2)
        #expect(value[composed] == 1)
        #expect(value[decomposed] == 2)
    }

    @Test("Aliases repeat what was anchored, and merge keys yield to keys that are written out")
    func anchors() throws {
        let text = """
            base: &base {a: 1, b: 2}
            other: &other {b: 3, c: 4}
            early: {<<: *base, a: 9}
            late:
              a: 9
              <<: *base
            both:
              <<: [*base, *other]
            text: &t hello
            again: *t
            *t : key
            quoted: {'<<': 5}
            """
        let value = try JSONValue(yaml: text)
        #expect(value["early"] == ["a": 9, "b": 2])
        #expect(value["late"] == ["a": 9, "b": 2])
        #expect(value["both"] == ["a": 1, "b": 2, "c": 4])
        #expect(value["again"] == "hello")
        #expect(value["hello"] == "key")
        #expect(value["quoted"] == ["<<": 5])
    }

    @Test("Documents are divided by three dashes and empty ones are left out")
    func documents() throws {
        let text = "---\n# nothing\n---\na: 1\n---\n---\nb: 2\n...\n---\nnull\n"
        #expect(try JSONValue.documents(yaml: text) == [["a": 1], ["b": 2]])
        #expect(try JSONValue.documents(yaml: "") == [])
        #expect(try JSONValue(yaml: "# only a comment\n") == .null)
        #expect(try JSONValue(yaml: "{\"json\": [1, 2.5, \"x\", null, true]}") == ["json": [1, 2.5, "x", .null, true]])
        #expect(try JSONValue(yaml: "\u{FEFF}a: é日本\n") == ["a": "é日本"])
    }

    @Test(
        "A text that is wrong is refused with its place",
        arguments: [
            ("a: 1\n b: 2\n", 2, 3, "mapping values are not allowed"),
            ("a: [1, 2\nb: 3\n", 2, 2, "parsing a flow sequence"),
            ("a: 1\nb: 2\na: 3\n", 3, 1, "`a` is already set"),
            ("a:\n\t- b\n", 2, 1, "cannot start any token"),
            ("a: 1\n---\nb: 2\n", 3, 1, "a second document"),
            ("a: *b\n", 1, 4, "&b"),
            ("a: &a [*a]\n", 1, 8, "&a"),
            ("a: .nan\n", 1, 4, "JSON does not have"),
            ("a: -.Inf\n", 1, 4, "JSON does not have"),
            ("? [a]\n: 1\n", 1, 3, "a key must be a scalar"),
            ("~: 1\n", 1, 1, "a key cannot be null"),
            ("a: !!int x\n", 1, 4, "not a !!int"),
            ("a: !!binary aGk=\n", 1, 4, "!!binary"),
            ("a: {<<: 5}\n", 1, 9, "`<<` takes"),
            ("a: \"unfinished\n", 2, 1, "quoted scalar"),
        ])
    func refused(_ text: String, _ line: Int, _ column: Int, _ message: String) {
        let error = #expect(throws: YAMLError.self) { try JSONValue(yaml: text) }
        #expect(error?.line == line && error?.column == column, "\(error?.description ?? "")")
        #expect(error?.message.contains(message) == true, "\(error?.description ?? "")")
    }

    @Test("Deep nesting and exploding aliases are refused, not followed")
    func bounds() throws {
        let deep = String(repeating: "[", count: 600) + String(repeating: "]", count: 600)
        #expect(throws: YAMLError.self) { try JSONValue(yaml: deep) }
        let fair = String(repeating: "[", count: 300) + String(repeating: "]", count: 300)
        #expect(throws: Never.self) { try JSONValue(yaml: fair) }

        var laughs = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n"
        for level in 1...9 {
            let aliases = Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ")
            laughs += "a\(level): &a\(level) [\(aliases)]\n"
        }
        let error = #expect(throws: YAMLError.self) { try JSONValue(yaml: laughs) }
        #expect(error?.message == "the aliases expand to too much")
    }
}
