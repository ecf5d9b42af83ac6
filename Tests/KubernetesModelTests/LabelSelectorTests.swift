import JSON
import KubernetesModel
import Testing

@Suite("A label selector")
struct LabelSelectorTests {
    private let labels = ["app": "wine", "tier": "a", "n": "5", "example.com/x": "", "odd": "word"]

    @Test(
        "selects as kubectl -l does",
        arguments: [
            ("", true), ("  ", true), ("app", true), ("!app", false), ("! missing", true), ("missing", false),
            ("app=wine", true), ("app==wine", true), ("app = beer", false), ("app!=beer", true), ("app!=wine", false),
            ("missing!=x", true), ("tier in (a,b)", true), ("tier in (b)", false), ("tier notin (b,c)", true),
            ("tier notin (a)", false), ("missing notin (a)", true), ("missing in (a)", false), ("n>4", true),
            ("n > 5", false), ("n<6", true), ("odd>1", false), ("missing<1", false), ("example.com/x=", true),
            ("example.com/x", true), ("app=", false), ("example.com/x in (,b)", true), ("app=wine,tier=a", true),
            ("app=wine, tier = b", false), ("app,!missing,n>1", true), ("in=x", false), ("app=in", false),
        ] as [(String, Bool)])
    func matches(text: String, expected: Bool) throws {
        #expect(try LabelSelector(text).matches(labels) == expected)
    }

    @Test(
        "refuses what the API server refuses",
        arguments: [
            ",", "a,", ",a", "a=b=c", "=a", "a in", "a in b", "a in (b", "a in (b))", "a in ()", "a notin ()", "!",
            "!a=b", "a!", "a b", "a>x", "a>", "-a", "a-", "a/b/c", "/a", "A_.com/x=1", "x y z", "a=b c", "a=(b)",
            "a=-b", "a==,=", "a=$", "é=1",
            "a=1234567890123456789012345678901234567890123456789012345678901234",
        ])
    func refused(text: String) {
        #expect(throws: SelectorError.self) { try LabelSelector(text) }
    }

    @Test(
        "prints what parses to the same",
        arguments: [
            ("a=b", "a=b"), ("a==b", "a=b"), ("a!=b", "a!=b"), ("a in (c,b,b)", "a in (b,c)"), ("a in (b)", "a=b"),
            ("a notin (x,y)", "a notin (x,y)"), ("!a", "!a"), ("a", "a"), ("a>3,b<4", "a>3,b<4"),
            ("a in (,b)", "a in (,b)"),
        ])
    func prints(text: String, expected: String) throws {
        let selector = try LabelSelector(text)
        #expect(selector.description == expected)
        #expect(try LabelSelector(selector.description) == selector)
    }

    @Test("reads and writes matchLabels and matchExpressions")
    func json() throws {
        let json = try JSONValue(
            parsing: """
                {"matchLabels":{"app":"wine"},"matchExpressions":[
                {"key":"tier","operator":"In","values":["a","b"]},{"key":"old","operator":"DoesNotExist"},
                {"key":"app","operator":"Exists"},{"key":"zone","operator":"NotIn","values":["z"]}]}
                """)
        let selector = try LabelSelector(json: JSONCursor(json))
        #expect(selector.matches(["app": "wine", "tier": "a"]))
        #expect(!selector.matches(["app": "wine", "tier": "a", "old": ""]))
        #expect(!selector.matches(["app": "wine", "tier": "a", "zone": "z"]))
        #expect(!selector.matches(["tier": "a"]))
        #expect(selector.json == json)
        #expect(selector.description == "app=wine,tier in (a,b),!old,app,zone!=z")
        #expect(try LabelSelector(json: JSONCursor([:])).isEmpty)
        #expect(LabelSelector(matchLabels: ["b": "2", "a": "1"]).description == "a=1,b=2")
    }

    @Test(
        "names the field of a bad document",
        arguments: [
            (#"{"matchLabels":{"a":5}}"#, "spec.selector.matchLabels.a: must be a string, not integer"),
            (
                #"{"matchExpressions":[{"key":"a","operator":"Near"}]}"#,
                "spec.selector.matchExpressions[0].operator: must be In, NotIn, Exists or DoesNotExist, not \"Near\""
            ),
            (
                #"{"matchExpressions":[{"key":"a","operator":"Gt","values":["1"]}]}"#,
                "spec.selector.matchExpressions[0].operator: must be In, NotIn, Exists or DoesNotExist, not \"Gt\""
            ),
            (
                #"{"matchExpressions":[{"key":"a","operator":"In"}]}"#,
                "spec.selector.matchExpressions[0]: In needs at least one value"
            ),
            (
                #"{"matchExpressions":[{"key":"a","operator":"Exists","values":["x"]}]}"#,
                "spec.selector.matchExpressions[0]: Exists takes no values"
            ),
            (#"{"matchExpressions":[{"operator":"Exists"}]}"#, "spec.selector.matchExpressions[0].key: is required"),
            (#"[]"#, "spec.selector: must be an object, not array"),
            (#"null"#, "spec.selector: is required"),
        ])
    func badDocuments(text: String, message: String) throws {
        let cursor = JSONCursor(try JSONValue(parsing: text), path: "spec.selector")
        let error = #expect(throws: JSONShapeError.self) { try LabelSelector(json: cursor) }
        #expect(error?.description == message)
    }

    @Test("never traps on any text")
    func fuzz() {
        var state: UInt64 = 88
        let alphabet = Array("ab=!(),<> inot\t/.é\u{0}\\")
        for _ in 0..<20_000 {
            var text = ""
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            for _ in 0..<Int(state >> 33) % 14 {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                text.append(alphabet[Int(state >> 33) % alphabet.count])
            }
            do throws(SelectorError) {
                let selector = try LabelSelector(text)
                #expect(throws: Never.self) {
                    let again = try LabelSelector(selector.description)
                    #expect(again == selector, "\(text)")
                }
            } catch {
                #expect(error.text == text)
            }
        }
    }
}

@Suite("A field selector")
struct FieldSelectorTests {
    private let pod: JSONValue = [
        "metadata": ["name": "a", "namespace": "ml"], "spec": ["nodeName": "n1", "unschedulable": true],
        "status": ["phase": "Running", "odd": "x,y=z\\"],
    ]

    @Test(
        "selects by equality",
        arguments: [
            ("", true), ("metadata.name=a", true), ("metadata.name==a", true), ("metadata.name!=a", false),
            ("metadata.namespace=ml,status.phase!=Failed", true), ("metadata.namespace=ml,status.phase=Failed", false),
            ("spec.nodeName=", false), ("spec.missing=", true), ("spec.missing!=x", true),
            ("spec.unschedulable=true", true), ("status.odd=x\\,y\\=z\\\\", true), ("metadata.name=a,", true),
        ] as [(String, Bool)])
    func matches(text: String, expected: Bool) throws {
        let selector = try FieldSelector(text)
        #expect(selector.matches(pod) == expected)
        #expect(try FieldSelector(selector.description) == selector)
    }

    @Test("refuses what has no sense", arguments: ["a", "=b", "!=b", "a=b=c", "a=\\", "a=\\x", "a>5"])
    func refused(text: String) {
        #expect(throws: SelectorError.self) { try FieldSelector(text) }
    }
}
