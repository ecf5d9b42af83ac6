import JSON
import Schedule

/// When a model is made anew though nobody has changed its spec.
public struct RetrainingSpec: Sendable, Hashable {
    /// Five fields, as of a CronJob.
    public var schedule: String?
    /// Of the IANA database; UTC unless given.
    public var timeZone: String?
    public var startingDeadlineSeconds: Int64?
    public var concurrencyPolicy: ConcurrencyPolicy?
    /// How long after a run's end none begins by itself, as 1h.
    public var coolDown: String?
    /// How many runs may begin by themselves in 24 hours.
    public var maxRunsPerDay: Int?

    public static let defaultMaxRunsPerDay = 24

    public init(
        schedule: String? = nil, timeZone: String? = nil, startingDeadlineSeconds: Int64? = nil,
        concurrencyPolicy: ConcurrencyPolicy? = nil, coolDown: String? = nil, maxRunsPerDay: Int? = nil
    ) {
        self.schedule = schedule
        self.timeZone = timeZone
        self.startingDeadlineSeconds = startingDeadlineSeconds
        self.concurrencyPolicy = concurrencyPolicy
        self.coolDown = coolDown
        self.maxRunsPerDay = maxRunsPerDay
    }

    /// - Parameter cursor: at `spec.training`, which these fields stand in.
    init(json cursor: JSONCursor) throws(JSONShapeError) {
        schedule = try cursor["schedule"].optionalString()
        timeZone = try cursor["timeZone"].optionalString()
        startingDeadlineSeconds = try cursor["startingDeadlineSeconds"].optionalInteger()
        concurrencyPolicy = try cursor["concurrencyPolicy"].optionalEnum()
        coolDown = try cursor["coolDown"].optionalString()
        maxRunsPerDay = try cursor["maxRunsPerDay"].optionalInt()
    }

    /// The fields as they stand in `spec.training`.
    var fields: JSONObject {
        var result: JSONValue = [:]
        result["schedule"] = JSONValue(schedule)
        result["timeZone"] = JSONValue(timeZone)
        if let startingDeadlineSeconds { result["startingDeadlineSeconds"] = .integer(startingDeadlineSeconds) }
        result["concurrencyPolicy"] = JSONValue(concurrencyPolicy?.rawValue)
        result["coolDown"] = JSONValue(coolDown)
        if let maxRunsPerDay { result["maxRunsPerDay"] = JSONValue(maxRunsPerDay) }
        return result.object ?? [:]
    }

    var coolDownTime: Duration { coolDown.flatMap(DurationText.duration) ?? .zero }
    var startingDeadline: Duration? { startingDeadlineSeconds.map { .seconds($0) } }
    var runsPerDay: Int { maxRunsPerDay ?? Self.defaultMaxRunsPerDay }
}
