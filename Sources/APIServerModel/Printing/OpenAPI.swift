import JSON
import KubernetesModel

/// The documents under `/openapi/v3`, as far as kubectl reads them: schemas for `explain` and for client-side apply,
/// and for each kind the operations that tell it what the server understands.
public enum OpenAPI {
    /// `/openapi/v3`: where each group version's document is. The hash in its URL changes with the document, since
    /// kubectl keeps what it has read.
    public static func index(_ definitions: [ResourceDefinition]) -> JSONValue {
        var paths: [(String, JSONValue)] = []
        for (group, version) in groupVersions(definitions) {
            guard let document = document(group: group, version: version, definitions) else { continue }
            let name = prefix(group, version).dropFirst()
            let url = "/openapi/v3/\(name)?hash=\(fingerprint(document))"
            paths.append((String(name), ["serverRelativeURL": .string(url)]))
        }
        return ["paths": .object(JSONObject(paths))]
    }

    /// `/openapi/v3/apis/batch/v1`; nil for what is not served.
    public static func document(
        group: String, version: String, _ definitions: [ResourceDefinition]
    ) -> JSONValue? {
        let served = definitions.filter { $0.type.group == group && $0.type.version == version }
        if served.isEmpty { return nil }
        var components: [String: JSONValue] = [:]
        var paths: [(String, JSONValue)] = []
        for definition in served {
            let reference = definition.schema.openAPI(&components)
            if let name = definition.schema.name {
                components[name]?["x-kubernetes-group-version-kind"] = [kind(definition.type)]
            }
            paths += operations(on: definition, schema: reference)
        }
        if served.contains(where: { $0.scale != nil }) { _ = BuiltinKinds.scale.schema.openAPI(&components) }
        return [
            "openapi": "3.0.0", "info": ["title": "Kubernetes", "version": "v1.32.0"],
            "paths": .object(JSONObject(paths)),
            "components": ["schemas": .object(JSONObject(components.map { ($0.key, $0.value) }))],
        ]
    }

    private static func groupVersions(_ definitions: [ResourceDefinition]) -> [(String, String)] {
        ([""] + Discovery.groups(definitions)).flatMap { group in
            Discovery.versions(of: group, definitions).map { (group, $0) }
        }
    }

    private static func prefix(_ group: String, _ version: String) -> String {
        group.isEmpty ? "/api/\(version)" : "/apis/\(group)/\(version)"
    }

    private static func kind(_ type: ResourceType) -> JSONValue {
        ["group": .string(type.group), "version": .string(type.version), "kind": .string(type.kind)]
    }

    private static func operations(
        on definition: ResourceDefinition, schema: JSONValue
    ) -> [(String, JSONValue)] {
        let type = definition.type
        let base = prefix(type.group, type.version) + (type.isNamespaced ? "/namespaces/{namespace}" : "")
        let gvk = kind(type)
        let read: JSONValue = ["responses": ["200": response(schema)], "x-kubernetes-group-version-kind": gvk]
        var collection: JSONValue = [:]
        var item: JSONValue = [:]
        if definition.verbs.contains("create") { collection["post"] = write(["application/json"], schema, gvk) }
        if definition.verbs.contains("list") {
            collection["get"] = read
            collection["get"]?["x-kubernetes-action"] = "list"
        }
        if definition.verbs.contains("get") { item["get"] = read }
        if definition.verbs.contains("update") { item["put"] = write(["application/json"], schema, gvk) }
        if definition.verbs.contains("delete") { item["delete"] = read }
        if definition.verbs.contains("patch") {
            var types = ["application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml"]
            if definition.isBuiltIn { types.append("application/strategic-merge-patch+json") }
            item["patch"] = write(types, schema, gvk, extra: ["force"])
        }
        var result: [(String, JSONValue)] = [("\(base)/\(type.plural)", collection)]
        if type.isNamespaced, let list = collection["get"] {
            result.append(("\(prefix(type.group, type.version))/\(type.plural)", ["get": list]))
        }
        if item != [:] { result.append(("\(base)/\(type.plural)/{name}", item)) }
        return result
    }

    private static func response(_ schema: JSONValue) -> JSONValue {
        ["description": "OK", "content": ["application/json": ["schema": schema]]]
    }

    private static func write(
        _ types: [String], _ schema: JSONValue, _ gvk: JSONValue, extra: [String] = []
    ) -> JSONValue {
        let parameters: [JSONValue] = (["dryRun", "fieldManager", "fieldValidation"] + extra).map { name in
            ["name": .string(name), "in": "query", "schema": ["type": name == "force" ? "boolean" : "string"]]
        }
        return [
            "parameters": .array(parameters),
            "requestBody": ["content": .object(JSONObject(types.map { ($0, ["schema": schema]) }))],
            "responses": ["200": response(schema)], "x-kubernetes-group-version-kind": gvk,
        ]
    }

    /// FNV-1a of the document's text.
    private static func fingerprint(_ document: JSONValue) -> String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in document.serializedBytes() { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return String(hash, radix: 16)
    }
}
