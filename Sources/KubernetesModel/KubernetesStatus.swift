import JSON

/// `metav1.Status`: what the API server answers when it does not answer with an object.
public struct KubernetesStatus: Error, Sendable, Hashable {
    /// `metav1.StatusCause`: one of several things that are wrong with an object.
    public struct Cause: Sendable, Hashable {
        /// For example `FieldValueRequired`; may be empty.
        public var reason: String
        /// For people.
        public var message: String
        /// Where in the object: `spec.template.name`; empty when it is about the whole.
        public var field: String

        /// A cause.
        public init(reason: String, message: String, field: String) {
            self.reason = reason
            self.message = message
            self.field = field
        }
    }

    /// The code of the HTTP response; 0 where the document has none.
    public var code: Int
    /// For example `NotFound`, `AlreadyExists`, `Conflict`, `Invalid`, `Expired`, `Forbidden`.
    public var reason: String
    /// For people.
    public var message: String
    /// What is wrong field by field, as with `Invalid`; often empty.
    public var causes: [Cause]
    /// How long the server asks to wait; nil when it does not.
    public var retryAfterSeconds: Int?

    /// A status as an API server would answer.
    public init(
        code: Int, reason: String, message: String, causes: [Cause] = [], retryAfterSeconds: Int? = nil
    ) {
        self.code = code
        self.reason = reason
        self.message = message
        self.causes = causes
        self.retryAfterSeconds = retryAfterSeconds
    }

    /// Reads a `Status` document; nil when it is something else.
    public init?(json: JSONValue) {
        guard json["kind"]?.string == "Status" else { return nil }
        code = json["code"]?.int ?? 0
        reason = json["reason"]?.string ?? ""
        message = json["message"]?.string ?? ""
        let details = json["details"]
        causes = (details?["causes"]?.array ?? []).map {
            Cause(
                reason: $0["reason"]?.string ?? "", message: $0["message"]?.string ?? "",
                field: $0["field"]?.string ?? "")
        }
        retryAfterSeconds = details?["retryAfterSeconds"]?.int
    }

    /// The status as the API has it, a failure from code 400 on.
    public var json: JSONValue {
        var result: JSONValue = [
            "apiVersion": "v1", "kind": "Status", "metadata": [:],
            "status": code < 400 ? "Success" : "Failure", "code": .integer(Int64(code)),
        ]
        if !reason.isEmpty { result["reason"] = .string(reason) }
        if !message.isEmpty { result["message"] = .string(message) }
        var details: JSONValue = [:]
        if !causes.isEmpty {
            details["causes"] = .array(
                causes.map {
                    ["reason": .string($0.reason), "message": .string($0.message), "field": .string($0.field)]
                })
        }
        if let retryAfterSeconds { details["retryAfterSeconds"] = JSONValue(retryAfterSeconds) }
        if details != [:] { result["details"] = details }
        return result
    }
}
