import JSON

/// Why a push is not taken, as the API server would say such a thing: `metav1.Status`.
public enum PushRefusal: Error, Sendable, Hashable {
    /// Nothing is known of who sends it.
    case unauthorized(String)
    case forbidden(String)
    case notFound(String)
    case methodNotAllowed
    case tooLarge
    case unsupportedMediaType
    case invalid([FieldProblem])
    case tooMany(retryAfter: Duration)
    case unavailable(String, retryAfter: Duration)

    public var code: Int {
        switch self {
        case .unauthorized: 401
        case .forbidden: 403
        case .notFound: 404
        case .methodNotAllowed: 405
        case .tooLarge: 413
        case .unsupportedMediaType: 415
        case .invalid: 422
        case .tooMany: 429
        case .unavailable: 503
        }
    }

    public var reason: String {
        switch self {
        case .unauthorized: "Unauthorized"
        case .forbidden: "Forbidden"
        case .notFound: "NotFound"
        case .methodNotAllowed: "MethodNotAllowed"
        case .tooLarge: "RequestEntityTooLarge"
        case .unsupportedMediaType: "UnsupportedMediaType"
        case .invalid: "Invalid"
        case .tooMany: "TooManyRequests"
        case .unavailable: "ServiceUnavailable"
        }
    }

    public var message: String {
        switch self {
        case .unauthorized(let message), .forbidden(let message), .notFound(let message), .unavailable(let message, _):
            message
        case .methodNotAllowed: "metrics are sent by POST"
        case .tooLarge: "the body is longer than \(PushBody.longest) bytes; send fewer metrics at once"
        case .unsupportedMediaType: "the body must be application/json, and its Content-Type say so"
        case .invalid(let problems): problems.text
        case .tooMany: "this pod pushes too often; once a second is enough"
        }
    }

    /// In whole seconds, as the header has it; nil where trying again changes nothing.
    public var retryAfterSeconds: Int? {
        switch self {
        case .tooMany(let wait), .unavailable(_, let wait):
            max(1, Int((wait + .nanoseconds(999_999_999)).components.seconds))
        default: nil
        }
    }

    public var status: JSONValue {
        var result: JSONValue = [
            "kind": "Status", "apiVersion": "v1", "metadata": [:], "status": "Failure", "code": JSONValue(code),
            "reason": .string(reason), "message": .string(message),
        ]
        if case .invalid(let problems) = self {
            result["details"] = [
                "causes": .array(
                    problems.map {
                        ["reason": "FieldValueInvalid", "field": .string($0.path), "message": .string($0.message)]
                    })
            ]
        }
        if let seconds = retryAfterSeconds { result["details", "retryAfterSeconds"] = JSONValue(seconds) }
        return result
    }
}
