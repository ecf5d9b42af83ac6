import APIServerModel

extension Simulation {
    /// A place where a story's operator can die: before or after a write, to begin anew on the newest cache or on the
    /// oldest that there can be.
    public struct CrashPoint: Sendable, Hashable, CustomStringConvertible {
        public var story: Story
        public var write: Int
        public var after: Bool
        public var isOldCache: Bool

        public var simulation: Simulation {
            let behind = isOldCache ? SimulatedServer.memory : 0
            return Simulation(
                seed: 1, story: story,
                faults: [Fault(.write(write), .crash(after: after, down: 500, behind: behind))])
        }

        public var description: String {
            "\(story.name), crash \(after ? "after" : "before") write \(write), \(isOldCache ? "oldest" : "newest") cache"
        }
    }

    /// All crash points of a story whose operator makes so many writes.
    public static func crashPoints(of story: Story, writes: Int) -> [CrashPoint] {
        (1...max(1, writes)).flatMap { write in
            [false, true].flatMap { after in
                [false, true].map { CrashPoint(story: story, write: write, after: after, isOldCache: $0) }
            }
        }
    }
}
