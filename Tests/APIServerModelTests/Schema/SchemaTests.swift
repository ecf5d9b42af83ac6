import JSON
import Testing

@testable import APIServerModel

@Suite struct SchemaTests {
    static func schema(_ json: JSONValue) throws -> Schema { try Schema(openAPI: json) }

    static let nested: JSONValue = [
        "type": "object",
        "properties": [
            "spec": [
                "type": "object",
                "properties": [
                    "size": ["type": "integer", "default": 3],
                    "mode": ["type": "string", "default": "fast", "nullable": true],
                    "free": [
                        "type": "object", "x-kubernetes-preserve-unknown-fields": true,
                        "properties": ["known": ["type": "object", "properties": ["a": ["type": "string"]]]],
                    ],
                    "labels": ["type": "object", "additionalProperties": ["type": "string"]],
                    "list": [
                        "type": "array",
                        "items": [
                            "type": "object",
                            "properties": ["name": ["type": "string"], "on": ["type": "boolean", "default": true]],
                        ],
                    ],
                ],
            ]
        ],
    ]

    @Test func `Unknown fields are dropped and named, but where they are preserved`() throws {
        let (value, dropped) = try Self.schema(Self.nested).prune([
            "spec": [
                "size": 1, "other": 2, "free": ["x": 1, "known": ["a": "b", "c": "d"]], "labels": ["any": "thing"],
                "list": [["name": "n", "nmae": "m"]],
            ],
            "sepc": [:],
        ])
        #expect(
            value == [
                "spec": [
                    "size": 1, "free": ["x": 1, "known": ["a": "b"]], "labels": ["any": "thing"],
                    "list": [["name": "n"]],
                ]
            ])
        #expect(dropped == ["sepc", "spec.free.known.c", "spec.list[0].nmae", "spec.other"])
    }

    @Test func `Defaults fill what is absent, and nulls where null is not a value`() throws {
        let schema = try Self.schema(Self.nested)
        #expect(
            schema.applyDefaults(["spec": ["size": .null, "mode": .null, "list": [[:], ["on": false]]]])
                == ["spec": ["size": 3, "mode": .null, "list": [["on": true], ["on": false]]]])
        #expect(schema.applyDefaults(["spec": [:]]) == ["spec": ["size": 3, "mode": "fast"]])
        #expect(schema.applyDefaults([:]) == [:])
    }

    @Test func `A default of a structure is itself completed`() throws {
        let schema = try Self.schema([
            "type": "object",
            "properties": [
                "status": [
                    "type": "object", "default": ["observedGeneration": -1],
                    "properties": [
                        "observedGeneration": ["type": "integer"], "phase": ["type": "string", "default": "Pending"],
                    ],
                ]
            ],
        ])
        #expect(schema.applyDefaults([:]) == ["status": ["observedGeneration": -1, "phase": "Pending"]])
    }

    struct Example: Sendable, CustomTestStringConvertible {
        var schema: JSONValue
        var value: JSONValue
        var errors: [String]

        init(_ schema: JSONValue, _ value: JSONValue, _ errors: String...) {
            self.schema = schema
            self.value = value
            self.errors = errors
        }

        var testDescription: String { "\(schema) \(value)" }
    }

    static let examples: [Example] = [
        Example(
            ["type": "string", "minLength": 1], "",
            "spec.x: Invalid value: \"\": spec.x in body should be at least 1 chars long"),
        Example(["type": "string", "maxLength": 2], "abc", "spec.x: Too long: may not be more than 2 bytes"),
        Example(
            ["type": "string", "pattern": "^a+$"], "b",
            "spec.x: Invalid value: \"b\": spec.x in body should match '^a+$'"),
        Example(
            ["type": "string", "enum": ["a", "b"]], "x",
            "spec.x: Unsupported value: \"x\": supported values: \"a\", \"b\""),
        Example(
            ["type": "integer"], "1",
            "spec.x: Invalid value: \"string\": spec.x in body must be of type integer: \"string\""),
        Example(
            ["type": "integer"], 1.5,
            "spec.x: Invalid value: \"number\": spec.x in body must be of type integer: \"number\""),
        Example(["type": "integer"], 2.0),
        Example(
            ["type": "string"], .null,
            "spec.x: Invalid value: \"null\": spec.x in body must be of type string: \"null\""),
        Example(["type": "string", "nullable": true], .null),
        Example(
            ["type": "integer", "minimum": 1], 0,
            "spec.x: Invalid value: 0: spec.x in body should be greater than or equal to 1"),
        Example(
            ["type": "number", "maximum": 1, "exclusiveMaximum": true], 1,
            "spec.x: Invalid value: 1: spec.x in body should be less than 1"),
        Example(["type": "number", "multipleOf": 0.1], 0.3),
        Example(
            ["type": "integer", "multipleOf": 2], 3,
            "spec.x: Invalid value: 3: spec.x in body should be a multiple of 2"),
        Example(
            ["type": "integer", "format": "int32"], 3_000_000_000,
            "spec.x: Invalid value: 3000000000: spec.x in body must be of type int32: \"3000000000\""),
        Example(
            ["type": "string", "format": "date-time"], "now",
            "spec.x: Invalid value: \"now\": spec.x in body must be of type date-time: \"now\""),
        Example(["type": "string", "format": "date-time"], "2026-11-22T21:36:08Z"),
        Example(
            ["type": "array", "maxItems": 1, "items": ["type": "string"]], ["a", "b"],
            "spec.x: Too many: 2: must have at most 1 item"),
        Example(
            ["type": "array", "minItems": 1, "items": ["type": "string"]], [],
            "spec.x: Invalid value: 0: spec.x in body should have at least 1 items"),
        Example(
            ["type": "array", "items": ["type": "string"]], ["a", 1],
            "spec.x[1]: Invalid value: \"integer\": spec.x[1] in body must be of type string: \"integer\""),
        Example(
            ["type": "array", "x-kubernetes-list-type": "set", "items": ["type": "string"]], ["a", "a"],
            "spec.x[1]: Duplicate value: \"a\""),
        Example(
            [
                "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
                "items": ["type": "object", "properties": ["name": ["type": "string"]]],
            ],
            [["name": "a"], ["name": "a"]], "spec.x[1]: Duplicate value: {\"name\":\"a\"}"),
        Example(["type": "object", "required": ["a", "b"]], ["a": 1], "spec.x.b: Required value"),
        Example(
            ["type": "object", "maxProperties": 1], ["a": 1, "b": 2], "spec.x: Too many: 2: must have at most 1 item"),
        Example(
            ["type": "object", "additionalProperties": ["type": "string"]], ["a": 1],
            "spec.x.a: Invalid value: \"integer\": spec.x.a in body must be of type string: \"integer\""),
        Example(
            ["x-kubernetes-int-or-string": true], true,
            "spec.x: Invalid value: \"boolean\": spec.x in body must be of type integer,string: \"boolean\""),
        Example(["x-kubernetes-int-or-string": true], "25%"),
        Example(
            ["type": "integer", "oneOf": [["minimum": 5], ["maximum": 1]]], 3,
            "spec.x: Invalid value: 3: \"spec.x\" must validate one and only one schema (oneOf). Found none valid"),
        Example(
            ["type": "integer", "anyOf": [["minimum": 5], ["maximum": 1]]], 3,
            "spec.x: Invalid value: 3: \"spec.x\" must validate at least one schema (anyOf)"),
        Example(
            ["type": "integer", "not": ["enum": [3]]], 3,
            "spec.x: Invalid value: 3: \"spec.x\" must not validate the schema (not)"),
        Example(["type": "object", "oneOf": [["required": ["a"]], ["required": ["b"]]]], ["a": 1]),
    ]

    @Test(arguments: examples) func `A value is judged in the API server's words`(_ example: Example) throws {
        let schema = try Schema(openAPI: example.schema)
        #expect(schema.validate(example.value, at: "spec.x").map(\.description) == example.errors)
    }

    @Test(
        arguments: [
            (["type": "strnig"], "s.type: Unsupported value"),
            (["type": "string", "pattern": "("], "s.pattern: Invalid value"),
            (["type": "array", "x-kubernetes-list-type": "map"], "s.x-kubernetes-list-map-keys: Required value"),
            (
                ["properties": ["a": ["x-kubernetes-list-type": "heap"]]],
                "s.properties[a].x-kubernetes-list-type: Unsupported"
            ),
        ] as [(JSONValue, String)])
    func `A schema that cannot be read names its field`(_ json: JSONValue, _ message: String) {
        let error = #expect(throws: FieldError.self) { try Schema(openAPI: json, path: "s") }
        #expect(error?.description.hasPrefix(message) == true, "\(String(describing: error))")
    }

    @Test(arguments: [
        ("uuid", "01234567-89ab-cdef-0123-456789abcdef", "0123"), ("email", "a@b.c", "a b@c"),
        ("uri", "https://a/b", "a/b"), ("duration", "1h2m3.5s", "1 h"), ("byte", "aGk=", "aGk"),
        ("date", "2026-11-22", "2026-13-22"), ("ipv4", "10.0.0.1", "10.0.0.256"), ("hostname", "a.b-c", "-a"),
    ])
    func `A format accepts what it is for`(_ format: String, _ good: String, _ bad: String) {
        #expect(StringFormat.accepts(good, as: format))
        #expect(!StringFormat.accepts(bad, as: format))
    }
}
