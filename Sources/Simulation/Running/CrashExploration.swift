import APIServerModel

extension Simulation {
    /// A place where a story's operator can die: before or after a write, to begin anew on the newest cache or on the
    /// oldest that there can be.
    public struct CrashPoint: Sendable, Hashable, CustomStringConvertible {
        public var story: Story
        public var trigger: Fault.Trigger
        public var after: Bool
        public var isOldCache: Bool

        public var simulation: Simulation {
            let behind = isOldCache ? SimulatedServer.memory : 0
            return Simulation(
                seed: 1, story: story, faults: [Fault(trigger, .crash(after: after, down: 500, behind: behind))])
        }

        public var description: String {
            "\(story.name), crash \(after ? "after" : "before") \(trigger), \(isOldCache ? "oldest" : "newest") cache"
        }
    }

    /// All crash points of a story that made `reference`'s writes when nothing went wrong, those of Events included.
    public static func crashPoints(of story: Story, reference: Outcome) -> [CrashPoint] {
        let triggers =
            (0..<reference.writes).map { Fault.Trigger.write($0 + 1) }
            + (0..<reference.events).map { Fault.Trigger.event($0 + 1) }
        return triggers.flatMap { trigger in
            [false, true].flatMap { after in
                [false, true].map { CrashPoint(story: story, trigger: trigger, after: after, isOldCache: $0) }
            }
        }
    }
}
