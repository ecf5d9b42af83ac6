import JSON

/// What tools such as Flux, Argo CD and `kubectl wait` hold an object's status for, by the rules of kstatus
/// (kubernetes-sigs/cli-utils, `pkg/kstatus/status`).
public struct KStatus: Sendable, Hashable {
    /// The phases of kstatus that an object which exists can have.
    public enum Phase: String, Sendable, Hashable {
        case current = "Current"
        case inProgress = "InProgress"
        case failed = "Failed"
        case terminating = "Terminating"
    }

    /// How far the object is.
    public var phase: Phase
    /// CamelCase; empty where kstatus gives none.
    public var reason: String
    /// For people.
    public var message: String

    /// A status with the given words.
    public init(_ phase: Phase, reason: String = "", message: String = "") {
        self.phase = phase
        self.reason = reason
        self.message = message
    }

    /// Computes the status of any object.
    /// - Parameter now: decides whether a Pod that could not be scheduled has waited long enough (15 s) to count as
    ///   failed; without it such a Pod is in progress.
    public static func compute(_ object: JSONValue, now: Timestamp? = nil) -> KStatus {
        generic(object) ?? builtIn(object, now: now) ?? ready(object)
            ?? KStatus(.current, message: "Resource is current")
    }

    /// Deletion, the observed generation and the standard conditions, in this order; nil when they decide nothing.
    private static func generic(_ object: JSONValue) -> KStatus? {
        if let time = object["metadata", "deletionTimestamp"]?.string, !time.isEmpty {
            return KStatus(.terminating, message: "Resource scheduled for deletion")
        }
        if case .integer(let observed)? = object["status", "observedGeneration"] {
            let generation = object["metadata", "generation"]?.integer ?? 0
            if observed != generation {
                let kind = object["kind"]?.string ?? "Resource"
                return KStatus(
                    .inProgress, reason: "LatestGenerationNotObserved",
                    message: "\(kind) generation is \(generation), but latest observed generation is \(observed)")
            }
        }
        for condition in conditions(of: object) where condition["status"]?.string == "True" {
            switch condition["type"]?.string {
            case "Reconciling": return KStatus(.inProgress, condition)
            case "Stalled": return KStatus(.failed, condition)
            default: continue
            }
        }
        return nil
    }

    private static func ready(_ object: JSONValue) -> KStatus? {
        guard let condition = conditions(of: object).first(where: { $0["type"]?.string == "Ready" }) else { return nil }
        switch condition["status"]?.string {
        case "True": return KStatus(.current, message: "Resource is Ready")
        case "False", "Unknown": return KStatus(.inProgress, condition)
        default: return nil
        }
    }

    static func conditions(of object: JSONValue) -> [JSONValue] { object["status", "conditions"]?.array ?? [] }

    init(_ phase: Phase, _ condition: JSONValue) {
        self.init(
            phase, reason: condition["reason"]?.string ?? "", message: condition["message"]?.string ?? "")
    }
}
