import JSON
import KubernetesModel

/// What a request says beside its route: who asks, when, and with which options.
struct RequestContext: Sendable {
    enum FieldValidation: Sendable { case strict, warn, ignore }

    let request: APIRequest
    let target: RequestTarget
    let user: UserInfo
    let now: Timestamp
    let isDryRun: Bool
    let fieldValidation: FieldValidation

    init(_ request: APIRequest, target: RequestTarget, user: UserInfo, now: Timestamp) {
        self.request = request
        self.target = target
        self.user = user
        self.now = now
        isDryRun = target.query["dryRun"]?.contains("All") ?? false
        switch target.value("fieldValidation") {
        case "Strict"?: fieldValidation = .strict
        case "Ignore"?: fieldValidation = .ignore
        default: fieldValidation = .warn
        }
    }

    /// Who is noted in `managedFields`: the parameter, else the user agent up to its slash.
    var fieldManager: String {
        target.value("fieldManager") ?? agent
    }

    /// The user agent up to its slash.
    var agent: String {
        let name = String((request.headers["user-agent"] ?? "").prefix { $0 != "/" })
        return name.isEmpty ? "unknown" : name
    }

    /// Refuses options of a write that cannot be (`metav1/validation`).
    func checkWriteOptions(_ verb: ResourceRequest.Verb) throws(APIFailure) {
        var errors: [FieldError] = []
        let dryRun = target.query["dryRun"] ?? []
        if dryRun.contains(where: { $0 != "All" }) {
            errors.append(.notSupported("dryRun", JSONValue(dryRun), ["All"]))
        }
        if let manager = target.value("fieldManager"), manager.utf8.count > 128 {
            errors.append(
                FieldError(kind: .tooLong, path: "fieldManager", message: "Too long: must have at most 128 bytes"))
        }
        if verb == .patch, target.query["force"] != nil, !mediaType.hasPrefix("application/apply-patch") {
            errors.append(.forbidden("force", "may not be specified for non-apply patch"))
        }
        guard !errors.isEmpty else { return }
        let kinds: [ResourceRequest.Verb: String] = [
            .create: "CreateOptions", .update: "UpdateOptions", .patch: "PatchOptions",
        ]
        let kind = kinds[verb] ?? "DeleteOptions"
        throw .invalid(ResourceType(group: "meta.k8s.io", version: "v1", plural: "", kind: kind), "", errors)
    }

    var accept: String? { request.headers["accept"] }
    var mediaType: String { Negotiation.mediaType(request.headers["content-type"]) }

    func representation() throws(APIFailure) -> Representation { try Negotiation.representation(accept: accept) }

    func labelSelector() throws(APIFailure) -> LabelSelector {
        guard let text = target.value("labelSelector") else { return .everything }
        do {
            return try LabelSelector(text)
        } catch {
            throw .badRequest("unable to parse requirement: \(error.description)")
        }
    }

    func fieldSelector(_ resource: ServedResource) throws(APIFailure) -> FieldSelector {
        guard let text = target.value("fieldSelector") else { return .everything }
        let selector: FieldSelector
        do {
            selector = try FieldSelector(text)
        } catch {
            throw .badRequest("invalid field selector: \(error.description)")
        }
        for requirement in selector.requirements {
            let field = requirement.field
            let isGeneral = field == "metadata.name" || (field == "metadata.namespace" && resource.type.isNamespaced)
            guard isGeneral || resource.selectableFields.contains(field) else {
                let type = resource.type
                throw .badRequest(
                    "Unable to find \"\(type.apiVersion), Resource=\(type.plural)\" that match label selector \"\", "
                        + "field selector \"\(text)\": field label not supported: \(field)")
            }
        }
        return selector
    }

    func integer(_ name: String) throws(APIFailure) -> Int? {
        guard let text = target.value(name) else { return nil }
        guard let value = Int(text) else { throw .badRequest("invalid value for \(name): \"\(text)\"") }
        return value
    }

    /// A resource version of the query; nil when absent.
    func revision() throws(APIFailure) -> UInt64? {
        guard let text = target.value("resourceVersion") else { return nil }
        guard let value = UInt64(text) else {
            throw .badRequest("Invalid value: \"\(text)\": resourceVersion must be an unsigned integer")
        }
        return value
    }
}
