import AssayCore
import JSON
import KubernetesModel
import Testing
import YAML

#if canImport(Glibc)
import Glibc
#endif

/// `crds/*.yaml` is the truth of the shape; the Swift types hold all of it.
@Suite struct SchemaTests {
    static let files = ["assay.dev_trainingjobs.yaml", "assay.dev_mlmodels.yaml"]

    private static func read(_ name: String) throws -> JSONValue {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let path = "/\(root)/crds/\(name)"
        let file = try #require(fopen(path, "r"), "\(path)")
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 300_000)
        let count = fread(&bytes, 1, bytes.count, file)
        return try JSONValue(yaml: String(decoding: bytes.prefix(count), as: UTF8.self))
    }

    private static func schema(_ name: String) throws -> JSONValue {
        let crd = try read(name)
        return try #require(crd["spec", "versions"]?[0]?["schema", "openAPIV3Schema"])
    }

    /// Objects with every field set; each enum takes its turn.
    private static func example(_ schema: JSONValue, turn: Int, name: String) -> JSONValue {
        if let choices = schema["enum"]?.array { return choices[turn % choices.count] }
        switch schema["type"]?.string {
        case "integer": return .integer(Int64(turn + 1))
        case "number": return .number(Double(turn) + 0.25)
        case "boolean": return .bool(turn % 2 == 0)
        case "string":
            if schema["format"] == "date-time" { return .string("2026-11-22T21:36:0\(turn % 10)Z") }
            return .string("\(name)-\(turn)")
        case "array":
            let items = schema["items"] ?? [:]
            return .array((0..<2).map { example(items, turn: turn + $0, name: name) })
        default:
            var result: JSONValue = [:]
            for (key, member) in schema["properties"]?.object ?? [:] {
                result[key] = example(member, turn: turn, name: key)
            }
            if let values = schema["additionalProperties"] { result["some"] = example(values, turn: turn, name: name) }
            if schema["x-kubernetes-preserve-unknown-fields"] == true { result["unknown"] = ["kept": true] }
            return result
        }
    }

    @Test(arguments: files, 0..<12)
    func decodingAndEncodingLosesNothing(file: String, turn: Int) throws {
        let schema = try Self.schema(file)
        var object = Self.example(schema, turn: turn, name: "x")
        object["metadata"] = ["name": "wine", "namespace": "ml", "uid": "u"]
        if file == Self.files[0] {
            object["apiVersion"] = "assay.dev/v1alpha1"
            object["kind"] = "TrainingJob"
            let decoded = try TrainingJob(json: object)
            #expect(decoded.spec.value != nil && decoded.status.value != nil, "\(decoded)")
            #expect(decoded.json.serialized() == object.serialized())
        } else {
            object["apiVersion"] = "assay.dev/v1alpha1"
            object["kind"] = "MLModel"
            let decoded = try MLModel(json: object)
            #expect(decoded.spec.value != nil && decoded.status.value != nil, "\(decoded)")
            #expect(decoded.json.serialized() == object.serialized())
        }
    }

    @Test(arguments: files)
    func everyListMapAndStringIsBounded(file: String) throws {
        func unbounded(_ schema: JSONValue, _ path: String) -> [String] {
            var found: [String] = []
            switch schema["type"]?.string {
            case "array" where schema["maxItems"] == nil: found.append(path)
            case "string" where schema["maxLength"] == nil && schema["enum"] == nil && schema["format"] == nil:
                found.append(path)
            case "object" where schema["additionalProperties"] != nil && schema["maxProperties"] == nil:
                found.append(path)
            default: break
            }
            for (key, member) in schema["properties"]?.object ?? [:] { found += unbounded(member, "\(path).\(key)") }
            if let items = schema["items"] { found += unbounded(items, "\(path)[]") }
            if let values = schema["additionalProperties"] { found += unbounded(values, "\(path)[*]") }
            return found
        }
        #expect(unbounded(try Self.schema(file), "").filter { $0 != ".apiVersion" && $0 != ".kind" } == [])
    }

    @Test(arguments: files)
    func theDefinitionIsWhatTheDesignAsksFor(file: String) throws {
        let crd = try Self.read(file)
        let version = crd["spec", "versions"]?[0]
        #expect(version?["schema", "openAPIV3Schema", "properties", "status", "default"] == ["observedGeneration": -1])
        #expect(crd["spec", "names", "categories"] == ["ml"])
        #expect(crd.serializedBytes().count < 256_000)
        let columns = (version?["additionalPrinterColumns"]?.array ?? []).filter { $0["priority"] == nil }
        if file == Self.files[1] {
            #expect(
                columns.compactMap { $0["name"]?.string }
                    == ["Ready", "Phase", "Revision", "Verdict", "Replicas", "URL", "Age"])
            #expect(version?["subresources", "scale", "specReplicasPath"] == ".spec.serving.replicas")
        }
    }
}
