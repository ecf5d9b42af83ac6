import JSON
import KubernetesModel

/// A request that was refused, with what Kubernetes says in such a case.
struct APIFailure: Error, Sendable {
    var code: Int
    var reason: String
    var message: String
    var name: String?
    var group: String?
    /// The kind or the plural: Kubernetes puts either into `details.kind`.
    var kind: String?
    var uid: String?
    var causes: [KubernetesStatus.Cause] = []
    var retryAfterSeconds: Int?
    /// Of an expired list: where an inconsistent continuation may go on.
    var continueToken: String?
    /// What is answered in place of a Status.
    var plainText: String?

    init(_ code: Int, _ reason: String, _ message: String) {
        self.code = code
        self.reason = reason
        self.message = message
    }

    init(_ code: Int, _ reason: String, _ message: String, _ type: ResourceType, _ name: String?) {
        self.init(code, reason, message)
        self.name = name
        group = type.group
        kind = type.plural
    }

    init(_ status: KubernetesStatus) {
        self.init(status.code, status.reason, status.message)
        causes = status.causes
        retryAfterSeconds = status.retryAfterSeconds
    }

    init(_ status: KubernetesStatus, _ type: ResourceType, _ name: String) {
        self.init(status)
        group = type.group
        kind = type.plural
        self.name = name
    }

    var json: JSONValue {
        var details: JSONValue = [:]
        details["name"] = JSONValue(name.flatMap { $0.isEmpty ? nil : $0 })
        details["group"] = JSONValue(group.flatMap { $0.isEmpty ? nil : $0 })
        details["kind"] = JSONValue(kind)
        details["uid"] = JSONValue(uid)
        if !causes.isEmpty {
            details["causes"] = .array(
                causes.map { cause in
                    var json: JSONValue = ["reason": .string(cause.reason), "message": .string(cause.message)]
                    if !cause.field.isEmpty { json["field"] = .string(cause.field) }
                    return json
                })
        }
        if let retryAfterSeconds { details["retryAfterSeconds"] = JSONValue(retryAfterSeconds) }
        var metadata: JSONValue = [:]
        metadata["continue"] = JSONValue(continueToken)
        var result: JSONValue = [
            "apiVersion": "v1", "kind": "Status", "metadata": metadata, "status": "Failure",
            "message": .string(message), "code": .integer(Int64(code)),
        ]
        if !reason.isEmpty { result["reason"] = .string(reason) }
        if details != [:] { result["details"] = details }
        return result
    }

    var status: KubernetesStatus {
        KubernetesStatus(
            code: code, reason: reason, message: message, causes: causes, retryAfterSeconds: retryAfterSeconds)
    }
}

extension APIFailure {
    static let unauthorized = APIFailure(401, "Unauthorized", "Unauthorized")
    static let noSuchPath = APIFailure(404, "NotFound", "the server could not find the requested resource")
    /// Nobody answers for the path at all, not even with a Status.
    static let noSuchGroup: APIFailure = {
        var failure = noSuchPath
        failure.plainText = "404 page not found\n"
        return failure
    }()
    static let methodNotAllowed = APIFailure(
        405, "MethodNotAllowed", "the server does not allow this method on the requested resource")

    static func badRequest(_ message: String) -> APIFailure { APIFailure(400, "BadRequest", message) }

    static func notFound(_ type: ResourceType, _ name: String) -> APIFailure {
        APIFailure(404, "NotFound", "\(type) \"\(name)\" not found", type, name)
    }

    static func alreadyExists(_ type: ResourceType, _ name: String) -> APIFailure {
        APIFailure(409, "AlreadyExists", "\(type) \"\(name)\" already exists", type, name)
    }

    static func conflict(_ type: ResourceType, _ name: String, _ why: String) -> APIFailure {
        APIFailure(
            409, "Conflict", "Operation cannot be fulfilled on \(type) \"\(name)\": \(why)", type, name)
    }

    static func modified(_ type: ResourceType, _ name: String) -> APIFailure {
        conflict(
            type, name, "the object has been modified; please apply your changes to the latest version and try again")
    }

    static func forbidden(_ type: ResourceType, _ name: String, _ why: String) -> APIFailure {
        let subject = name.isEmpty ? "\(type)" : "\(type) \"\(name)\""
        return APIFailure(403, "Forbidden", "\(subject) is forbidden: \(why)", type, name)
    }

    static func expired(_ message: String) -> APIFailure { APIFailure(410, "Expired", message) }

    static func invalid(_ type: ResourceType, _ name: String, _ errors: [FieldError]) -> APIFailure {
        let status = KubernetesStatus.invalid(type, name: name, errors)
        var failure = APIFailure(status.code, status.reason, status.message)
        failure.name = name
        failure.group = type.group
        failure.kind = type.kind
        failure.causes = status.causes
        return failure
    }
}
