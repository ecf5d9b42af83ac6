import JSON

/// `metav1.Status`: what the API server answers when it does not answer with an object.
public struct KubernetesStatus: Error, Sendable, Hashable {
    public struct Cause: Sendable, Hashable {
        public var reason: String
        public var message: String
        public var field: String

        public init(reason: String, message: String, field: String) {
            self.reason = reason
            self.message = message
            self.field = field
        }
    }

    public var code: Int
    /// For example `NotFound`, `AlreadyExists`, `Conflict`, `Invalid`, `Expired`, `Forbidden`.
    public var reason: String
    public var message: String
    public var causes: [Cause]
    public var retryAfterSeconds: Int?

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
