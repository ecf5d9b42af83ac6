import JSON
import KubernetesModel

/// One thing that a controller of a built-in kind wants done at the API server.
public enum ControllerAction: Sendable, Hashable {
    /// Creates a child. The owner is told by an event when a pod was created, or could not be.
    case create(ResourceType, JSONValue, owner: JSONValue)
    /// Deletes an object, if it is still the one with that UID.
    case delete(ResourceType, ObjectKey, uid: String, Deletion)
    /// Merges into an object, if it still has the resource version that the patch names in its metadata.
    case patch(ResourceType, ObjectKey, JSONValue)
    /// Replaces the status of the object, which carries the resource version that was observed.
    case replaceStatus(ResourceType, JSONValue)
    /// Replaces an object that has no status, such as Endpoints.
    case replace(ResourceType, JSONValue)
    case event(ClusterEvent)

    public enum Deletion: Sendable, Hashable {
        case background
        /// Without waiting for a node to confirm.
        case immediate
    }
}

/// What is told to people about an object.
public struct ClusterEvent: Sendable, Hashable {
    public var regarding: JSONValue
    public var isWarning: Bool
    public var reason: String
    public var message: String

    public init(_ regarding: JSONValue, warning: Bool = false, reason: String, message: String) {
        self.regarding = regarding
        isWarning = warning
        self.reason = reason
        self.message = message
    }
}

/// What to do now, in order, and when to look again even if nothing changes.
public struct ControllerPlan: Sendable, Hashable {
    public var actions: [ControllerAction] = []
    public var requeueAfter: Duration?

    public init(actions: [ControllerAction] = [], requeueAfter: Duration? = nil) {
        self.actions = actions
        self.requeueAfter = requeueAfter
    }

    /// Looks again after `delay`, or sooner when something else wants that.
    mutating func requeue(after delay: Duration) {
        requeueAfter = min(requeueAfter ?? delay, max(delay, .milliseconds(1)))
    }

    mutating func event(_ regarding: JSONValue, warning: Bool = false, _ reason: String, _ message: String) {
        actions.append(.event(ClusterEvent(regarding, warning: warning, reason: reason, message: message)))
    }
}

extension JSONValue {
    /// The metadata members that every planner reads, lenient as what the API server stores is well-formed.
    var name: String { self["metadata", "name"]?.string ?? "" }
    var namespace: String? { self["metadata", "namespace"]?.string }
    var uid: String { self["metadata", "uid"]?.string ?? "" }
    var resourceVersion: String { self["metadata", "resourceVersion"]?.string ?? "" }
    var generation: Int64 { self["metadata", "generation"]?.integer ?? 0 }
    var isTerminating: Bool { self["metadata", "deletionTimestamp"]?.string != nil }
    var key: ObjectKey { ObjectKey(namespace: namespace, name: name) }
    var labels: [String: String] { self["metadata", "labels"]?.stringMap ?? [:] }
    var annotations: [String: String] { self["metadata", "annotations"]?.stringMap ?? [:] }
    var creationTimestamp: Timestamp? { self["metadata", "creationTimestamp"]?.timestamp }

    var timestamp: Timestamp? { string.flatMap { Timestamp($0) } }

    var stringMap: [String: String] {
        var result: [String: String] = [:]
        for (key, value) in object ?? [:] { result[key] = value.string }
        return result
    }

    /// The reference to the owner that controls this object.
    var controllerReference: JSONValue? {
        self["metadata", "ownerReferences"]?.array?.first { $0["controller"]?.bool == true }
    }

    func isControlled(by owner: JSONValue) -> Bool {
        !owner.uid.isEmpty && controllerReference?["uid"]?.string == owner.uid
    }

    /// The condition of the given type in `status.conditions`.
    func condition(_ type: String) -> JSONValue? {
        self["status", "conditions"]?.array?.first { $0["type"]?.string == type }
    }

    func hasCondition(_ type: String, _ status: String = "True") -> Bool {
        condition(type)?["status"]?.string == status
    }
}

/// A list of conditions as the built-in kinds write them, some with `lastUpdateTime` and `lastProbeTime`.
struct ConditionList {
    private(set) var conditions: [JSONValue]

    init(_ object: JSONValue) { conditions = object["status", "conditions"]?.array ?? [] }

    subscript(type: String) -> JSONValue? { conditions.first { $0["type"]?.string == type } }

    func isTrue(_ type: String) -> Bool { self[type]?["status"]?.string == "True" }

    /// Sets a condition. `lastTransitionTime` moves with the status; `extra` times move whenever anything changes, or
    /// when the caller asks for it.
    mutating func set(
        _ type: String, _ status: String, reason: String, message: String, now: Timestamp, extra: String? = nil,
        touch: Bool = false
    ) {
        let old = self[type]
        let time = JSONValue.string(now.truncatedToSeconds.description)
        let isSame =
            old?["status"]?.string == status && old?["reason"]?.string == reason && old?["message"]?.string == message
        if isSame && !touch { return }
        var new: JSONValue = [
            "type": .string(type), "status": .string(status), "reason": .string(reason), "message": .string(message),
            "lastTransitionTime": old?["status"]?.string == status ? (old?["lastTransitionTime"] ?? time) : time,
        ]
        if let extra { new[extra] = time }
        if let index = conditions.firstIndex(where: { $0["type"]?.string == type }) {
            conditions[index] = new
        } else {
            conditions.append(new)
        }
    }

    mutating func remove(_ type: String) { conditions.removeAll { $0["type"]?.string == type } }
}
