import Schedule

extension RetrainingSpec {
    /// Each has its place in the status.
    static let mostRunsPerDay = 100

    /// What cannot stand. Whether there is a zone of the name is known only where zones are.
    func problems(at path: String) -> [FieldProblem] {
        var problems: [FieldProblem] = []
        if let schedule {
            do throws(ScheduleError) {
                _ = try CronSchedule(schedule)
            } catch {
                problems.append(.init("\(path).schedule", error.description))
            }
        }
        if let timeZone {
            do throws(ZoneError) {
                _ = try ZoneName(timeZone)
            } catch {
                problems.append(.init("\(path).timeZone", error.description))
            }
        }
        let others = [
            ("timeZone", timeZone != nil), ("startingDeadlineSeconds", startingDeadlineSeconds != nil),
            ("concurrencyPolicy", concurrencyPolicy != nil), ("coolDown", coolDown != nil),
            ("maxRunsPerDay", maxRunsPerDay != nil),
        ]
        for (field, isThere) in others where isThere && schedule == nil {
            problems.append(.init("\(path).\(field)", "has no meaning without schedule"))
        }
        if let startingDeadlineSeconds, startingDeadlineSeconds < 1 {
            problems.append(.init("\(path).startingDeadlineSeconds", "must be at least 1"))
        }
        if let coolDown { problems += DurationText.problems(coolDown, at: "\(path).coolDown") }
        if let maxRunsPerDay, !(1...Self.mostRunsPerDay).contains(maxRunsPerDay) {
            problems.append(.init("\(path).maxRunsPerDay", "must be between 1 and \(Self.mostRunsPerDay)"))
        }
        return problems
    }
}
