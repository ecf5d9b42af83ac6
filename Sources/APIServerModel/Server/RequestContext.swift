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
