import JSON
import Testing

@Suite("A JSON value")
struct JSONValueTests {
    @Test("is written canonically: sorted by bytes, the shortest numbers, the least escapes")
    func canonical() {
        let value: JSONValue = [
            "b": 1.0, "a": [0.1, 1e21, -5, .null, true], "é": "\u{7F}é/\u{1}\u{8}\n\"\\", "A": [:], "": [],
        ]
        #expect(
            value.serialized()
                == "{\"\":[],\"A\":{},\"a\":[0.1,1e+21,-5,null,true],\"b\":1,\"é\":\"\u{7F}é/\\u0001\\b\\n\\\"\\\\\"}")
        #expect(JSONValue.number(.nan).serialized() == "null")
        #expect(JSONValue.number(-.infinity).serialized() == "null")
        #expect(value.description == value.serialized())
    }

    @Test("names that only differ in their bytes are different members")
    func byteNames() {
        let composed = "\u{E9}"
        let decomposed = "e\u{301}"
        let object = JSONObject([(composed, 1), (decomposed, 2)])
        #expect(object.count == 2)
        #expect(object[composed] == 1)
        #expect(object[decomposed] == 2)
    }

    @Test("equal objects are equal in whatever order they were built")
    func order() {
        var grown = JSONObject()
        var pairs: [(String, JSONValue)] = []
        var generator = DocumentGenerator(seed: 3)
        for index in 0..<200 {
            let key = "k\(generator.below(60))"
            grown[key] = JSONValue(index)
            pairs.append((key, JSONValue(index)))
        }
        #expect(JSONObject(pairs) == grown)
        #expect(grown.keys == grown.keys.sorted())
        let removed = grown.removeValue(forKey: "k1")
        #expect((removed == nil) == (JSONObject(pairs)["k1"] == nil))
        #expect(grown["k1"] == nil)
    }

    @Test("gives integers and doubles as the API server takes them")
    func numbers() {
        #expect(JSONValue.number(5).integer == 5)
        #expect(JSONValue.number(5.5).integer == nil)
        #expect(JSONValue.number(1e300).integer == nil)
        #expect(JSONValue.integer(5).double == 5)
        #expect(JSONValue.string("5").integer == nil)
        #expect(JSONValue.integer(.max).int == Int.max)
    }

    @Test("sets and removes along a path")
    func paths() {
        var value: JSONValue = ["a": ["b": 1]]
        value["a", "c", "d"] = 2
        #expect(value == ["a": ["b": 1, "c": ["d": 2]]])
        #expect(value["a", "c", "d"] == 2)
        value["a", "b"] = nil
        value["x", "y"] = nil
        #expect(value == ["a": ["c": ["d": 2]]])
        value["a", "c", "d", "e"] = true
        #expect(value["a", "c", "d", "e"] == true)
        #expect(value["a"]?[0] == nil)
        #expect(JSONValue.array([1, 2])[5] == nil)
        #expect(JSONValue.array([1, 2])[-1] == nil)
        #expect(JSONValue.array([1, 2])[1] == 2)
        var scalar: JSONValue = 5
        scalar["a"] = 1
        #expect(scalar == ["a": 1])
    }
}

@Suite("A merge patch")
struct MergePatchTests {
    /// The examples of RFC 7386, appendix A.
    @Test(
        "does what RFC 7386 says",
        arguments: [
            (#"{"a":"b"}"#, #"{"a":"c"}"#, #"{"a":"c"}"#), (#"{"a":"b"}"#, #"{"b":"c"}"#, #"{"a":"b","b":"c"}"#),
            (#"{"a":"b"}"#, #"{"a":null}"#, #"{}"#), (#"{"a":"b","b":"c"}"#, #"{"a":null}"#, #"{"b":"c"}"#),
            (#"{"a":["b"]}"#, #"{"a":"c"}"#, #"{"a":"c"}"#), (#"{"a":"c"}"#, #"{"a":["b"]}"#, #"{"a":["b"]}"#),
            (#"{"a":{"b":"c"}}"#, #"{"a":{"b":"d","c":null}}"#, #"{"a":{"b":"d"}}"#),
            (#"{"a":[{"b":"c"}]}"#, #"{"a":[1]}"#, #"{"a":[1]}"#), (#"["a","b"]"#, #"["c","d"]"#, #"["c","d"]"#),
            (#"{"a":"b"}"#, #"["c"]"#, #"["c"]"#), (#"{"a":"foo"}"#, #"null"#, #"null"#),
            (#"{"a":"foo"}"#, #""bar""#, #""bar""#), (#"{"e":null}"#, #"{"a":1}"#, #"{"a":1,"e":null}"#),
            (#"[1,2]"#, #"{"a":"b","c":null}"#, #"{"a":"b"}"#),
            (#"{}"#, #"{"a":{"bb":{"ccc":null}}}"#, #"{"a":{"bb":{}}}"#),
        ])
    func examples(target: String, patch: String, result: String) throws {
        let merged = try JSONValue(parsing: target).merging(patch: JSONValue(parsing: patch))
        #expect(try merged == JSONValue(parsing: result))
    }

    @Test("the patch between two documents leads from one to the other")
    func difference() {
        var generator = DocumentGenerator(seed: 4)
        for _ in 0..<3000 {
            let old = withoutNulls(generator.value(depth: 4))
            let new = withoutNulls(generator.value(depth: 4))
            #expect((old.mergePatch(to: new) == nil) == (old == new))
            if let patch = old.mergePatch(to: new) { #expect(old.merging(patch: patch) == new) }
            #expect(old.mergePatch(to: old) == nil)
        }
    }

    /// A merge patch cannot express a null.
    private func withoutNulls(_ value: JSONValue) -> JSONValue {
        switch value {
        case .null: 0
        case .object(let object): .object(object.mapValues(withoutNulls))
        default: value
        }
    }
}

@Suite("A cursor into a document")
struct JSONCursorTests {
    private let cursor = JSONCursor(
        ["steps": [["name": "a", "n": 1.5], ["name": 5]], "none": .null, "flag": true, "map": ["k": "v", "bad": 1]],
        path: "spec")

    @Test("reads what is there")
    func reads() throws {
        #expect(try cursor["steps"].elements()[0]["name"].string() == "a")
        #expect(try cursor["steps"][0]["n"].double() == 1.5)
        #expect(try cursor["flag"].bool())
        #expect(try cursor["missing"].optionalString() == nil)
        #expect(try cursor["none"].optionalString() == nil)
        #expect(!cursor["none"].exists)
        #expect(try cursor["missing"].elements().isEmpty)
        #expect(try cursor["missing"].strings().isEmpty)
        #expect(try cursor["missing"].stringMap().isEmpty)
    }

    @Test("names the field in its errors")
    func errors() {
        func message<T>(_ body: () throws(JSONShapeError) -> T) -> String {
            do throws(JSONShapeError) {
                _ = try body()
                return "none"
            } catch {
                return error.description
            }
        }
        #expect(
            message { () throws(JSONShapeError) in try cursor["steps"].elements()[1]["name"].string() }
                == "spec.steps[1].name: must be a string, not integer")
        #expect(
            message { () throws(JSONShapeError) in try cursor["steps"][7]["name"].string() }
                == "spec.steps[7].name: is required")
        #expect(
            message { () throws(JSONShapeError) in try cursor["map"].stringMap() }
                == "spec.map.bad: must be a string, not integer")
        #expect(
            message { () throws(JSONShapeError) in try cursor["steps"][0]["n"].integer() }
                == "spec.steps[0].n: must be an integer, not number")
        #expect(
            message { () throws(JSONShapeError) in try cursor["flag"].elements() }
                == "spec.flag: must be an array, not boolean")
        #expect(
            message { () throws(JSONShapeError) in try JSONCursor(5)["x"].object() } == "x: is required")
        #expect(JSONShapeError(path: "", message: "m").description == "m")
    }
}
