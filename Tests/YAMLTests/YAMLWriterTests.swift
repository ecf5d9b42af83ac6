import JSON
import Testing
import YAML

/// What is written is read back as it was.
@Suite struct YAMLWriterTests {
    @Test func aManifestIsReadable() throws {
        let value = try JSONValue(
            parsing: #"""
                {"apiVersion": "assay.dev/v1alpha1", "kind": "MLModel", "metadata": {"name": "wine"}, "spec": {
                "empty": {}, "none": [], "suspend": false, "nothing": null, "threshold": 0.93, "text": "0.93",
                "containers": [{"name": "server", "command": ["sh", "-c", "echo a\necho b"], "image": "r.local/w@sha256:ab"}],
                "nested": [["a"], [{"b": 1}]]}}
                """#)
        #expect(
            value.yaml == #"""
                apiVersion: assay.dev/v1alpha1
                kind: MLModel
                metadata:
                  name: wine
                spec:
                  containers:
                  - command:
                    - sh
                    - "-c"
                    - |-
                      echo a
                      echo b
                    image: r.local/w@sha256:ab
                    name: server
                  empty: {}
                  nested:
                  -
                    - a
                  -
                    - b: 1
                  none: []
                  nothing: null
                  suspend: false
                  text: "0.93"
                  threshold: 0.93

                """#)
        #expect(try JSONValue(yaml: value.yaml) == value)
    }

    private static let strings = [
        "", " ", "a", "yes", "No", "ON", "null", "Null", "~", "0", "0x1F", "1e3", "-1", ".5", ".inf", "a: b", "a:",
        "a #b", "#a",
        "- a", "-", "--- ", "...", "[a]", "{a}", "*a", "&a", "!a", "%a", "@a", "`a", "'a'", "\"a\"", "a\\b", "a\tb",
        "\ta",
        "a\n", "\na", "a\n\n", "a\n\nb", " a\nb", "a\n b", "a \nb", "a\n\tb", "a\r\nb", "a\u{0}b", "a\u{7F}", "ü",
        "a\nü",
        "\u{1F600}", "\u{2028}", "2026-11-22", "2026-11-22T21:36:00Z", "<<", "=", "sha256:12", "http://a.b/c?d=e",
        "a\n#b\n",
        "a\n---\nb", "a\n: b", "y", "/x",
    ]

    @Test(arguments: strings) func aStringStaysAString(_ text: String) throws {
        let values: [JSONValue] = [
            ["key": .string(text)], [.string(text)], .string(text), ["a": ["b": [.string(text)]]],
            ["a": [["b": .string(text)]]],
        ]
        for value in values { #expect(try JSONValue(yaml: value.yaml) == value, "\(value.yaml)") }
        let key = JSONValue.object(JSONObject([(text, 1)]))
        #expect(try JSONValue(yaml: key.yaml) == key, "\(key.yaml)")
    }

    @Test func anythingIsReadBack() throws {
        var random = SystemRandomNumberGenerator()
        func value(_ depth: Int) -> JSONValue {
            switch Int.random(in: 0..<(depth > 3 ? 5 : 8), using: &random) {
            case 0: return .null
            case 1: return .bool(.random(using: &random))
            case 2: return .integer(.random(in: .min ... .max, using: &random))
            case 3: return .number(Double.random(in: -1e6...1e6, using: &random))
            case 4: return .string(Self.strings.randomElement(using: &random) ?? "")
            case 5: return .array((0..<Int.random(in: 0...3, using: &random)).map { _ in value(depth + 1) })
            default:
                return .object(
                    JSONObject(
                        (0..<Int.random(in: 0...3, using: &random)).map { ("k\($0)", value(depth + 1)) }))
            }
        }
        for _ in 0..<300 {
            let original = value(0)
            #expect(try JSONValue(yaml: original.yaml) == original, "\(original.serialized())")
        }
    }
}
