import JSON
import KubernetesModel

/// `/openapi/v2` in the protobuf form of gnostic, which is the only one that kubectl asks for: 1.27 to find out that the
/// server checks fields, older ones to check them themselves and to merge what they apply.
///
/// It is made of the v3 documents. What v2 cannot say (`oneOf`, `nullable`, values of several types) is left out, as
/// Kubernetes leaves it out. Field numbers are those of `openapiv2/OpenAPIv2.proto` of google/gnostic.
public enum OpenAPIv2 {
    /// Clients ask for `…spec.v2@v1.0+protobuf`, but an `@` is not allowed in the answer (RFC 9110).
    public static let contentType = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"

    public static func document(_ definitions: [ResourceDefinition]) -> [UInt8] {
        var schemas: [String: JSONValue] = [:]
        var paths: [(String, JSONValue)] = []
        let versions = Set(definitions.map { [$0.type.group, $0.type.version] }).sorted { $0.joined() < $1.joined() }
        for version in versions {
            let document = OpenAPI.document(group: version[0], version: version[1], definitions)
            for (name, schema) in document?["components", "schemas"]?.object ?? [:] {
                // The document of the kind's own group is the one that says that it is a kind.
                if schemas[name]?["x-kubernetes-group-version-kind"] == nil { schemas[name] = schema }
            }
            paths += (document?["paths"]?.object ?? [:]).map { ($0, $1) }
        }
        var writer = ProtobufWriter()
        writer.string(1, "2.0")
        writer.message(2) { info in
            info.string(1, "Kubernetes")
            info.string(2, "v1.32.0")
        }
        writer.message(8) { writer in
            for (path, item) in paths { named(2, path, &writer) { pathItem(item, &$0) } }
        }
        writer.message(9) { writer in
            for (name, json) in schemas.sorted(by: { $0.key < $1.key }) {
                named(1, name, &writer) { schema(json, &$0) }
            }
        }
        return writer.bytes
    }

    /// An entry of a map: a message of a name and a value.
    private static func named(
        _ field: UInt64, _ name: String, _ writer: inout ProtobufWriter, _ write: (inout ProtobufWriter) -> Void
    ) {
        writer.message(field) { entry in
            entry.string(1, name)
            entry.message(2, write)
        }
    }

    /// Extensions travel as YAML, of which JSON is a part.
    private static func extensions(_ field: UInt64, of json: JSONValue, _ writer: inout ProtobufWriter) {
        for (name, value) in json.object ?? [:] where name.hasPrefix("x-") {
            named(field, name, &writer) { $0.string(2, value.serialized()) }
        }
    }

    private static func pathItem(_ item: JSONValue, _ writer: inout ProtobufWriter) {
        for (field, method) in [(2, "get"), (3, "put"), (4, "post"), (5, "delete"), (8, "patch")] as [(UInt64, String)]
        {
            guard let operation = item[method] else { continue }
            writer.message(field) { writer in
                for type in (operation["requestBody", "content"]?.object ?? [:]).keys { writer.string(7, type) }
                for parameter in operation["parameters"]?.array ?? [] {
                    writer.message(8) { item in
                        item.message(1) { parameterMessage in
                            parameterMessage.message(2) { nonBody in
                                nonBody.message(3) { query in
                                    query.string(2, "query")
                                    query.string(4, parameter["name"]?.string)
                                    query.string(6, parameter["schema", "type"]?.string)
                                }
                            }
                        }
                    }
                }
                writer.message(9) { _ in }
                extensions(13, of: operation, &writer)
            }
        }
    }

    private static func schema(_ json: JSONValue, _ writer: inout ProtobufWriter) {
        let reference = json["$ref"]?.string ?? json["allOf"]?[0]?["$ref"]?.string
        if let reference {
            let name = reference.split(separator: "/").last.map(String.init) ?? ""
            writer.string(1, "#/definitions/\(name)")
            writer.string(4, json["description"]?.string)
            extensions(31, of: json, &writer)
            return
        }
        let isIntOrString = json["x-kubernetes-int-or-string"] == true
        let preserves = json["x-kubernetes-preserve-unknown-fields"] == true
        var type = json["type"]?.string
        if isIntOrString { type = "string" }
        writer.string(2, json["format"]?.string)
        writer.string(4, json["description"]?.string)
        if !preserves {
            for name in (json["required"]?.array ?? []).compactMap(\.string) { writer.string(19, name) }
        }
        if let values = json["additionalProperties"], type == "object" {
            writer.message(21) { item in item.message(1) { schema(values, &$0) } }
        }
        if let type { writer.message(22) { $0.string(1, type) } }
        if type == "array" {
            writer.message(23) { items in items.message(1) { schema(json["items"] ?? [:], &$0) } }
        }
        // A client that checks fields must not refuse those that the server keeps unseen.
        if type == "object", !preserves, let properties = json["properties"]?.object {
            writer.message(25) { writer in
                for (name, property) in properties { named(1, name, &writer) { schema(property, &$0) } }
            }
        }
        extensions(31, of: json, &writer)
    }
}
