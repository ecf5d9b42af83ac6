import JSON
import KubernetesModel

/// One write. Creation and deletion are safe to repeat: names are deterministic, and a deletion names the uid.
public enum Action: Sendable, Hashable {
    public enum Propagation: String, Sendable, Hashable {
        case background = "Background"
        case foreground = "Foreground"
        case orphan = "Orphan"
    }

    /// POST. `AlreadyExists` means that the observation was old: observe again.
    case create(ResourceType, JSONValue, manager: String)
    /// Server-side apply, forced. `metadata.uid` is in the object, so that nothing but the object read is changed.
    case apply(ResourceType, ObjectKey, JSONValue, manager: String)
    /// A merge patch with `metadata.uid` (and, where it matters, `metadata.resourceVersion`) as its preconditions.
    case mergePatch(ResourceType, ObjectKey, JSONValue, subresource: String?, manager: String)
    case delete(ResourceType, ObjectKey, uid: String, propagation: Propagation)

    public var type: ResourceType {
        switch self {
        case .create(let type, _, _), .apply(let type, _, _, _), .mergePatch(let type, _, _, _, _),
            .delete(let type, _, _, _):
            type
        }
    }

    public var key: ObjectKey {
        switch self {
        case .create(_, let object, _):
            ObjectKey(
                namespace: object["metadata", "namespace"]?.string, name: object["metadata", "name"]?.string ?? "")
        case .apply(_, let key, _, _), .mergePatch(_, let key, _, _, _), .delete(_, let key, _, _): key
        }
    }

    public var verb: String {
        switch self {
        case .create: "create"
        case .apply: "apply"
        case .mergePatch: "patch"
        case .delete: "delete"
        }
    }
}

/// An event about the object that was planned for.
public struct PlannedEvent: Sendable, Hashable {
    public enum Severity: String, Sendable, Hashable {
        case normal = "Normal"
        case warning = "Warning"
    }

    public var severity: Severity
    /// CamelCase.
    public var reason: String
    /// What the operator did, CamelCase, as events.k8s.io/v1 wants it.
    public var action: String
    /// For people; at most 1,024 characters.
    public var note: String
    /// It is told of the namespace, for in it nothing more can be written.
    public var isAboutNamespace = false

    public init(_ severity: Severity = .normal, reason: String, action: String, note: String) {
        self.severity = severity
        self.reason = reason
        self.action = action
        self.note = String(note.prefix(1024))
    }
}

/// What to do for one object, in order.
public struct Plan: Sendable, Hashable {
    /// Executed in order; the first failure ends the list (see `statusAfter(_:)` of the plans).
    public var actions: [Action] = []
    /// The status to write after the actions; nil when it stands already.
    public var status: StatusWrite?
    public var events: [PlannedEvent] = []
    /// When to look again though nothing changes.
    public var requeueAfter: Duration?
    /// The decision is final or destroys something, and what was observed may be old: observe by live reads, with
    /// `isLive` set, and plan again. Such a plan has nothing else in it.
    public var needsLiveObservation = false

    public init() {}

    public var isEmpty: Bool { actions.isEmpty && status == nil && events.isEmpty && !needsLiveObservation }

    static var live: Plan {
        var plan = Plan()
        plan.needsLiveObservation = true
        return plan
    }
}

/// A write of the status subresource: a merge patch that carries the uid and the resource version that was read, so that
/// a plan made on an old observation conflicts and changes nothing.
public struct StatusWrite: Sendable, Hashable {
    /// The whole status as it shall be.
    public var status: JSONValue
    public var patch: JSONValue
    /// All that changes is how far things are: no more often than every ``progressInterval`` does this need to be written.
    public var isProgressAlone: Bool

    /// A status that moves with every pod and every step would otherwise be most of what the server has to write.
    public static let progressInterval: Duration = .seconds(10)

    /// Nil when nothing changes.
    init?<Status: ProgressingStatus>(metadata: ObjectMeta, from old: Status, to new: Status) {
        status = new.json
        guard let change = old.json.mergePatch(to: status) else { return nil }
        isProgressAlone = new.differsInProgressAlone(from: old)
        patch = [
            "metadata": ["uid": .string(metadata.uid), "resourceVersion": .string(metadata.resourceVersion)],
            "status": change,
        ]
    }
}

/// An action that the server refused, as the plans need it to tell a person.
public struct ActionFailure: Sendable, Hashable {
    /// `create jobs.batch ml/wine-1-0f3a`
    public var operation: String
    /// The HTTP status; nil where there was no answer.
    public var code: Int?
    public var message: String

    public init(operation: String, code: Int?, message: String) {
        self.operation = operation
        self.code = code
        self.message = message
    }

    /// The server will say the same until the spec changes.
    var isRejection: Bool { code == 400 || code == 422 }
    /// A person or an administrator can mend it: rights, quota, limit ranges, policies.
    var isForbidden: Bool { code == 403 }

    /// Of failures that are forbidden.
    static let forbiddenReasons: Set = ["Forbidden", "QuotaExceeded"]

    var reason: String {
        if isRejection { return "Rejected" }
        if isForbidden { return message.contains("quota") ? "QuotaExceeded" : "Forbidden" }
        return "ProgressingWithRetry"
    }
}
