import JSON
import KubernetesModel

extension APIServer {
    mutating func patch(_ request: ResourceRequest, _ context: RequestContext) throws(APIFailure) -> APIResponse {
        if context.mediaType == "application/apply-patch+yaml" || context.mediaType == "application/apply-patch+cbor" {
            return try apply(request, context)
        }
        let old = try existing(request)
        let before = request.resource.presented(old.json)
        var json = try patched(before, request, context)
        guard json.object != nil else { throw .badRequest("the patched object is not an object") }
        if json["apiVersion"] == nil { json["apiVersion"] = before["apiVersion"] }
        if json["kind"] == nil { json["kind"] = before["kind"] }
        try checkDecodes(json, request)
        try checkKind(json, request.type)
        let name = json["metadata", "name"]?.string ?? ""
        guard name == old.name else {
            throw .badRequest("the name of the object (\(name)) does not match the name on the URL (\(old.name))")
        }
        if let uid = json["metadata", "uid"], uid.string != old.uid {
            throw .invalid(request.type, old.name, [.invalid("metadata.uid", uid, "field is immutable")])
        }
        let (entry, warnings) = try replace(old, with: json, request, context)
        return try answer(entry, request, context, warnings: warnings)
    }

    /// `before` with the body's patch applied, by the rules of its media type.
    func patched(
        _ before: JSONValue, _ request: ResourceRequest, _ context: RequestContext
    ) throws(APIFailure) -> JSONValue {
        let patch = try document(context)
        switch context.mediaType {
        case "application/merge-patch+json": return before.merging(patch: patch)
        case "application/json-patch+json": return try JSONPatch.apply(patch, to: before)
        case "application/strategic-merge-patch+json" where !request.resource.isCustom:
            let schema = request.resource.definition.schema
            return try Self.merged { () throws(MergeError) in
                try StrategicMergePatch.apply(patch, to: before, schema: schema)
            }
        default:
            let strategic = request.resource.isCustom ? "" : ", application/strategic-merge-patch+json"
            throw APIFailure(
                415, "UnsupportedMediaType",
                "the body of the request was in an unknown format - accepted media types include: "
                    + "application/json-patch+json, application/merge-patch+json\(strategic), "
                    + "application/apply-patch+yaml")
        }
    }

    /// A patched object of a built-in kind must still be one; if it is not, the patch is what is wrong.
    private func checkDecodes(_ json: JSONValue, _ request: ResourceRequest) throws(APIFailure) {
        guard !request.resource.isCustom else { return }
        let isOther = json["kind"]?.string != request.type.kind || json["apiVersion"]?.string != request.type.apiVersion
        guard let problem = isOther ? "another kind" : request.resource.definition.decodingFailure(json)?.message else {
            return
        }
        let nothing = ResourceType(group: "", version: "", plural: "", kind: "")
        throw .invalid(nothing, "", [.invalid("patch", .string(json.serialized()), problem)])
    }

    /// A merge whose failure is the client's.
    static func merged(_ merge: () throws(MergeError) -> JSONValue) throws(APIFailure) -> JSONValue {
        do throws(MergeError) {
            return try merge()
        } catch {
            throw APIFailure(error.status)
        }
    }
}
