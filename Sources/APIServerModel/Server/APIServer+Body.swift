import JSON
import KubernetesModel

extension APIServer {
    /// Reads the object of a POST or PUT and checks that it is what the URL is about.
    func body(_ request: ResourceRequest, _ context: RequestContext) throws(APIFailure) -> JSONValue {
        var json = try document(context)
        if !request.resource.isCustom { Self.fillKind(&json, request.type) }
        try checkKind(json, request.type)
        return json
    }

    /// Documents of built-in kinds need not say what they are: the path does.
    static func fillKind(_ json: inout JSONValue, _ type: ResourceType) {
        guard json.object != nil else { return }
        if json["kind"]?.string ?? "" == "" { json["kind"] = .string(type.kind) }
        if json["apiVersion"]?.string ?? "" == "" { json["apiVersion"] = .string(type.apiVersion) }
    }

    /// Reads the body as JSON, or as YAML where the owner can.
    func document(_ context: RequestContext) throws(APIFailure) -> JSONValue {
        let media = context.mediaType
        switch media {
        case "", "application/json", "application/apply-patch+yaml", "application/yaml", "application/merge-patch+json",
            "application/strategic-merge-patch+json", "application/json-patch+json":
            break
        case "application/vnd.kubernetes.protobuf":
            do {
                return try ProtobufReader.object(context.request.body)
            } catch {
                throw APIFailure(
                    415, "UnsupportedMediaType", "this server reads only some objects as protobuf: \(error)")
            }
        default:
            throw APIFailure(
                415, "UnsupportedMediaType",
                "the body of the request was in an unknown format - accepted media types include: application/json, "
                    + "application/yaml")
        }
        do {
            return try JSONValue(parsing: context.request.body)
        } catch {
            if media.hasSuffix("yaml"), let json = options.decodeYAML?(context.request.body) { return json }
            throw .badRequest("the object provided is unrecognized (must be of type JSON): \(error)")
        }
    }

    func checkKind(_ json: JSONValue, _ type: ResourceType) throws(APIFailure) {
        guard json.object != nil else {
            throw .badRequest("the request's body must be an object, not \(json.typeName)")
        }
        guard let kind = json["kind"]?.string, !kind.isEmpty else {
            throw .badRequest("Object 'Kind' is missing in '\(String(json.serialized().prefix(200)))'")
        }
        let version = json["apiVersion"]?.string ?? ""
        guard version == type.apiVersion else {
            throw .badRequest(
                "the API version in the data (\(version)) does not match the expected API version (\(type.apiVersion))")
        }
        guard kind == type.kind else {
            if registry[type: type]?.isCustom == true {
                throw .invalid(
                    type, json["metadata", "name"]?.string ?? "",
                    [.invalid("kind", .string(kind), "must be \(type.kind)")])
            }
            throw .badRequest(
                "\(type.kind) in version \"\(type.version)\" cannot be handled as a \(type.kind): no kind \"\(kind)\" "
                    + "is registered for version \"\(version)\" in scheme")
        }
    }

    /// Sets the object's namespace to that of the URL, or refuses another one.
    func place(_ json: inout JSONValue, _ request: ResourceRequest) throws(APIFailure) {
        if json["metadata"]?.object == nil { json["metadata"] = [:] }
        let given = json["metadata", "namespace"]?.string ?? ""
        guard request.type.isNamespaced else {
            json["metadata", "namespace"] = nil
            return
        }
        guard let namespace = request.namespace else { throw .methodNotAllowed }
        guard given.isEmpty || given == namespace else {
            throw .badRequest("the namespace of the provided object does not match the namespace sent on the request")
        }
        json["metadata", "namespace"] = .string(namespace)
    }

    /// Drops unknown fields and sets defaults.
    ///
    /// - Returns: the warnings that go with the answer.
    func normalize(
        _ json: inout JSONValue, _ request: ResourceRequest, _ context: RequestContext
    ) throws(APIFailure) -> [String] {
        let definition = request.resource.definition
        if let status = definition.decodingFailure(json) {
            throw APIFailure(status)
        }
        let (pruned, dropped) = definition.prune(json)
        json = definition.withoutEmpties(definition.applyDefaults(pruned))
        return try warnings(forUnknown: dropped, request, context)
    }

    func warnings(
        forUnknown dropped: [String], _ request: ResourceRequest, _ context: RequestContext
    ) throws(APIFailure) -> [String] {
        guard !dropped.isEmpty else { return [] }
        let fields = dropped.map { "unknown field \"\($0)\"" }
        switch context.fieldValidation {
        case .ignore: return []
        case .warn: return fields
        case .strict:
            let type = request.type
            throw .badRequest(
                "\(type.kind) in version \"\(type.version)\" cannot be handled as a \(type.kind): strict decoding "
                    + "error: \(fields.joined(separator: ", "))")
        }
    }

    /// The answer to a write: the object as it is now.
    func answer(
        _ entry: StoredEntry, _ request: ResourceRequest, _ context: RequestContext, status: Int = 200,
        warnings: [String] = []
    ) throws(APIFailure) -> APIResponse {
        let presenter = try Presenter(request.resource, context)
        let headers = warnings.prefix(16).map(Self.header)
        return APIResponse(status: status, headers: headers, content: .bytes(presenter.bytes(entry)))
    }

    /// RFC 9110 §5.6.4 and the removed §5.5 of RFC 7234: code 299, no agent, a quoted text.
    /// What a client wrote comes back in it, so nothing may end the line, and no header grows without bound.
    static func header(warning: String) -> (name: String, value: String) {
        var text = ""
        for scalar in warning.unicodeScalars.prefix(512) {
            if scalar == "\"" || scalar == "\\" { text.unicodeScalars.append("\\") }
            text.unicodeScalars.append((0x20..<0x7F).contains(scalar.value) ? scalar : "?")
        }
        return ("Warning", "299 - \"\(text)\"")
    }
}
