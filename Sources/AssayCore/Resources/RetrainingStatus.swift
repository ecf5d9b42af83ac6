import JSON
import KubernetesModel

/// When the model is made anew next, and what waits for it.
public struct RetrainingStatus: Sendable, Hashable {
    /// Something that asks for a run and has not got it yet. There is one at most: whatever else asks meanwhile gets the same
    /// run.
    public struct Pending: Sendable, Hashable {
        public var trigger: Run.Trigger
        public var since: Timestamp
        /// What it was, for people.
        public var message: String
        /// What the data outside is a version of from then on; nil where it has not changed.
        public var dataVersion: String?

        public init(trigger: Run.Trigger, since: Timestamp, message: String, dataVersion: String? = nil) {
            self.trigger = trigger
            self.since = since
            self.message = message
            self.dataVersion = dataVersion
        }
    }

    /// The schedule and zone that the times are of.
    public var schedule: String?
    /// The last scheduled time that has its run or was passed over; before the first, when the schedule was first seen.
    public var lastScheduleTime: Timestamp?
    /// When the schedule is due next.
    public var nextScheduleTime: Timestamp?
    public var pending: Pending?
    /// When the runs of the last 24 hours began that nobody has asked for by hand.
    public var begun: [Timestamp] = []
    /// How many runs had failed one after another when the newest began; nil for none.
    public var failures: Int?
    /// Until when it waits, where that is known.
    public var waitingUntil: Timestamp?
    /// What it waits for, or what is wrong.
    public var message: String?

    public init() {}

    public init(json cursor: JSONCursor) throws(JSONShapeError) {
        schedule = try cursor["schedule"].optionalString()
        lastScheduleTime = try cursor["lastScheduleTime"].optionalTimestamp()
        nextScheduleTime = try cursor["nextScheduleTime"].optionalTimestamp()
        pending = cursor["pending"].exists ? try Pending(json: cursor["pending"]) : nil
        begun = try cursor["begun"].map { element throws(JSONShapeError) in
            guard let moment = try element.optionalTimestamp() else { throw element.failure("is required") }
            return moment
        }
        failures = try cursor["failures"].optionalInt()
        waitingUntil = try cursor["waitingUntil"].optionalTimestamp()
        message = try cursor["message"].optionalString()
    }

    public var json: JSONValue {
        var result: JSONValue = [:]
        result["schedule"] = JSONValue(schedule)
        result["lastScheduleTime"] = JSONValue(lastScheduleTime?.description)
        result["nextScheduleTime"] = JSONValue(nextScheduleTime?.description)
        result["pending"] = pending?.json
        if !begun.isEmpty { result["begun"] = JSONValue(begun.map { .string($0.description) }) }
        if let failures { result["failures"] = JSONValue(failures) }
        result["waitingUntil"] = JSONValue(waitingUntil?.description)
        result["message"] = JSONValue(message)
        return result
    }
}

extension RetrainingStatus.Pending {
    init(json cursor: JSONCursor) throws(JSONShapeError) {
        trigger = try cursor["trigger"].requiredEnum()
        guard let since = try cursor["since"].optionalTimestamp() else { throw cursor["since"].failure("is required") }
        self.since = since
        message = try cursor["message"].optionalString() ?? ""
        dataVersion = try cursor["dataVersion"].optionalString()
    }

    var json: JSONValue {
        var result: JSONValue = [
            "trigger": .string(trigger.rawValue), "since": .string(since.description), "message": .string(message),
        ]
        result["dataVersion"] = JSONValue(dataVersion)
        return result
    }
}
