import JSON

/// `metav1.Condition`.
public struct Condition: Sendable, Hashable {
    /// What the API writes as `"True"`, `"False"` and `"Unknown"`.
    public enum Status: String, Sendable, Hashable {
        case `true` = "True"
        case `false` = "False"
        case unknown = "Unknown"
    }

    /// What the condition is about, in CamelCase: `Ready`. A list has at most one of each.
    public var type: String
    /// Whether it holds.
    public var status: Status
    /// The `metadata.generation` that the status was found for; nil where the writer does not say.
    public var observedGeneration: Int64?
    /// When `status` last changed, in whole seconds.
    public var lastTransitionTime: Timestamp?
    /// CamelCase, for machines.
    public var reason: String
    /// For people; at most 32,768 characters by the API's rule.
    public var message: String

    /// A condition; `set(_:now:)` fills in `lastTransitionTime`.
    public init(
        type: String, status: Status, observedGeneration: Int64? = nil, lastTransitionTime: Timestamp? = nil,
        reason: String, message: String = ""
    ) {
        self.type = type
        self.status = status
        self.observedGeneration = observedGeneration
        self.lastTransitionTime = lastTransitionTime
        self.reason = reason
        self.message = message
    }

    /// Reads a condition. A status that is none of the three counts as unknown; no reason or message as an empty one.
    public init(json cursor: JSONCursor) throws(JSONShapeError) {
        type = try cursor["type"].string()
        status = Status(rawValue: try cursor["status"].string()) ?? .unknown
        observedGeneration = try cursor["observedGeneration"].optionalInteger()
        lastTransitionTime = try cursor["lastTransitionTime"].optionalTimestamp()
        reason = try cursor["reason"].optionalString() ?? ""
        message = try cursor["message"].optionalString() ?? ""
    }

    /// The condition as the API has it, without the members that are nil.
    public var json: JSONValue {
        var result: JSONValue = [
            "type": .string(type), "status": .string(status.rawValue), "reason": .string(reason),
            "message": .string(message),
        ]
        if let observedGeneration { result["observedGeneration"] = .integer(observedGeneration) }
        result["lastTransitionTime"] = JSONValue(lastTransitionTime?.description)
        return result
    }
}

extension [Condition] {
    /// The condition of this type; nil when there is none.
    public subscript(type: String) -> Condition? { first { $0.type == type } }

    /// Whether the condition is there and its status is `True`.
    public func isTrue(_ type: String) -> Bool { self[type]?.status == .true }

    /// Sets a condition; its `lastTransitionTime` moves only when the status does.
    public mutating func set(_ condition: Condition, now: Timestamp) {
        var new = condition
        guard let index = firstIndex(where: { $0.type == condition.type }) else {
            new.lastTransitionTime = now.truncatedToSeconds
            append(new)
            return
        }
        let old = self[index]
        let moved = old.status != new.status || old.lastTransitionTime == nil
        new.lastTransitionTime = moved ? now.truncatedToSeconds : old.lastTransitionTime
        self[index] = new
    }

    /// Removes the condition of this type, if it is there.
    public mutating func remove(_ type: String) { removeAll { $0.type == type } }

    /// Reads a list of conditions; an absent one is empty.
    public init(json cursor: JSONCursor) throws(JSONShapeError) {
        var result: [Condition] = []
        for element in try cursor.elements() { result.append(try Condition(json: element)) }
        self = result
    }
}
