import Testing

@testable import APIServerModel

@Suite struct PatternTests {
    struct Example: Sendable, CustomTestStringConvertible {
        var pattern: String
        var matching: [String]
        var others: [String]

        init(_ pattern: String, _ matching: [String], not others: [String]) {
            self.pattern = pattern
            self.matching = matching
            self.others = others
        }

        var testDescription: String { pattern }
    }

    static let examples: [Example] = [
        Example("a", ["a", "bab"], not: ["", "b"]),
        Example("^a$", ["a"], not: ["ab", "ba", ""]),
        Example("^[a-z]([-a-z0-9]*[a-z0-9])?$", ["a", "wine-2", "w2"], not: ["2w", "wine-", "Wine", ""]),
        Example("^(oci|s3|pvc)://[^ ]+$", ["oci://x/y", "s3://b"], not: ["http://x", "oci://", "oci://a b"]),
        Example("^[0-9]{2,3}$", ["12", "123"], not: ["1", "1234"]),
        Example("^a{2}b{0,1}c{1,}$", ["aac", "aabccc"], not: ["ac", "aabb", "aa"]),
        Example("^\\d+\\.\\w*\\s$", ["1.a ", "22.\t"], not: ["1a ", ".a "]),
        Example("^[^a-c]$", ["d", "-", "é"], not: ["a", "b", "dd"]),
        Example("^[]a]$", ["]", "a"], not: ["b"]),
        Example("^[a-]$", ["-", "a"], not: ["b"]),
        Example("^[\\w.-]+$", ["a_B.9-"], not: ["a b"]),
        Example("^[[:alpha:]]+$", ["abC"], not: ["a1"]),
        Example("^(?:ab)*?$", ["", "abab"], not: ["aba"]),
        Example("^(a|b|)c$", ["ac", "bc", "c"], not: ["dc"]),
        Example("^x{,2}$", ["x{,2}"], not: ["xx"]),
        Example("\\bcat\\b", ["a cat!", "cat"], not: ["concat"]),
        Example("^.$", ["é", "x"], not: ["\n", "xx"]),
        Example("\\x41\\.", ["A."], not: ["AB"]),
    ]

    @Test(arguments: examples) func `A pattern matches as RE2 would`(_ example: Example) throws {
        let pattern = try Pattern(example.pattern)
        for text in example.matching { #expect(pattern.matches(text), "\(text)") }
        for text in example.others { #expect(!pattern.matches(text), "\(text)") }
    }

    @Test(arguments: ["(", "a)", "[a", "*a", "a{5,2}", "\\", "(?P<x>a)", "[z-a]", "a{2000}", "\\q"])
    func `A malformed pattern is refused`(_ text: String) {
        #expect(throws: Pattern.SyntaxError.self) { try Pattern(text) }
    }

    @Test func `An expression that makes others backtrack for ever is answered at once`() throws {
        let pattern = try Pattern("^(a+)+$")
        #expect(!pattern.matches(String(repeating: "a", count: 5000) + "b"))
    }
}
