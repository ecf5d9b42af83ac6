import AssayCore
import Concurrency
import JSON
import KubernetesClient
import KubernetesModel
import TestCluster
import Testing

/// Takes rights of a program away, one at a time.
struct RightsTrial: Sendable {
    /// How many programs work at once, each in a namespace of its own.
    private static let width = 14

    private let file: String
    private let shipped: Set<Right>
    private let table: MissingRight.Table
    private let program: @Sendable (LimitedAccount, RightsStory) -> any LimitedProgram
    /// How often was asked for what, over all stories.
    private let used = Locked<[String: Int]>([:])

    /// - Parameters:
    ///   - file: what grants the rights.
    ///   - table: what breaks without each of them.
    init(
        of file: String, _ shipped: Set<Right>, table: MissingRight.Table,
        _ program: @escaping @Sendable (LimitedAccount, RightsStory) -> any LimitedProgram
    ) {
        (self.file, self.shipped, self.table, self.program) = (file, shipped, table, program)
    }

    /// Takes each of these away.
    func run(_ rights: [Right], on backend: Backend) async throws {
        try await TestCluster.run(on: backend) { cluster in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (number, right) in rights.enumerated() {
                    if number >= Self.width { try await group.next() }
                    group.addTask { await miss(right, on: cluster) }
                }
                for try await _ in group {}
            }
        }
    }

    /// Nothing was asked for that is not granted; and where all rights were taken, everything that is.
    func expectUse(ofAll takesAll: Bool, but silent: Set<Right> = []) {
        let asked = used.withLock { $0 }
        for right in shipped.sorted() {
            let count = asked[right.description].map(String.init) ?? "-"
            print("\(String(repeating: " ", count: max(0, 6 - count.count)))\(count)  \(right)")
        }
        let names = Set(shipped.map(\.description))
        #expect(Set(asked.keys).subtracting(names) == [], "used, and not in \(file)")
        if takesAll {
            let unused = names.subtracting(silent.map(\.description)).subtracting(asked.keys)
            #expect(unused == [], "in \(file), and not used")
        }
    }

    private func miss(_ right: Right, on cluster: TestCluster) async {
        guard let missing = MissingRight(right, in: table) else {
            Issue.record("no story needs the right to \(right): take it out of \(file)")
            return
        }
        do {
            let namespace = "right-\(UInt32.random(in: .min ... .max))"
            try await StoryWorld.run(on: cluster, namespace: namespace) { world in
                let account = LimitedAccount(in: world)
                let limited = program(account, missing.story)
                try await missing.story.prepare(world)
                try await account.install(shipped.subtracting([right]))
                do {
                    try await limited.run { try await tell(missing, limited) }
                } catch {
                    print("without the right to \(right):\n\(limited.voice.log.suffix(20).joined())")
                    throw error
                }
                try await world.eventually("the requests of \(right)'s story are counted") {
                    let requests = try await account.requests()
                    // A real API server counts a watch when it has ended.
                    guard let watch = requests["watch mlmodels.assay.dev"], watch.count > watch.refused else {
                        return false
                    }
                    // What was refused was asked for, too; where the story goes on without, perhaps only then.
                    used.withLock { used in for (name, of) in requests { used[name, default: 0] += of.count } }
                    return true
                }
                try await account.uninstall()
            }
        } catch {
            Issue.record("without the right to \(right): \(error)")
        }
    }

    private func tell(_ missing: MissingRight, _ limited: any LimitedProgram) async throws {
        let (account, right) = (limited.account, missing.right)
        let world = account.world
        try await missing.story.begin(world)
        try await world.eventually("the program says that it misses the right to \(right)") {
            try await missing.story.insist(world)
            return try await isSaid(missing, limited)
        }
        try await world.eventually("the server has refused to \(missing.refused)") {
            try await account.requests()[missing.refused]?.refused ?? 0 > 0
        }
        // Long enough to see a hot loop, in which there would be hundreds.
        try await Task.sleep(for: .seconds(2))
        let refused = try await account.requests().mapValues(\.refused).filter { $0.value > 0 }
        #expect(refused.values.allSatisfy { $0 < 40 }, "without the right to \(right): \(refused)")
        #expect(Set(refused.keys) == [missing.refused], "without the right to \(right) alone")
        if !missing.leavesTheStoryWhole {
            #expect(try await !missing.story.isOver(world), "the story ended without the right to \(right)")
        }

        try await account.grant(shipped, among: right)
        try await world.eventually("the story ends with the right to \(right)") {
            try await missing.story.isOver(world)
        }
        try await world.eventually("the program is ready with the right to \(right)") {
            try await limited.voice.readiness()?.isReady == true
        }
        if missing.sign == .condition {
            #expect(try await !isSaid(missing, limited), "\(right) is not missing now")
        }
        if right.description == "get pods" {
            try await world.eventually("the operator knows its image") {
                limited.voice.log.contains { $0.contains("own image") && $0.contains("registry.local/toy") }
            }
        }
    }

    /// Whether the program says, in its place, what the server says.
    private func isSaid(_ missing: MissingRight, _ limited: any LimitedProgram) async throws -> Bool {
        let world = limited.account.world
        switch missing.sign {
        case .readiness:
            guard let readiness = try await limited.voice.readiness() else { return false }
            return !readiness.isReady && readiness.text.contains(missing.words)
        case .condition:
            for type in [ResourceType.mlModels, .trainingJobs] {
                for object in try await world.client.listAll(type, namespace: world.namespace).items {
                    guard let told = object.condition("Reconciling"), told.reason == "Forbidden" else { continue }
                    if told.message.contains(missing.words) { return true }
                }
            }
            return false
        case .event:
            return try await world.client.listAll(.events, namespace: world.namespace).items.contains {
                $0["reason"] == "Forbidden" && $0["type"] == "Warning"
                    && $0["note"]?.string?.contains(missing.words) == true
            }
        case .log:
            // Quotes are escaped in it.
            return limited.voice.log.contains { line in
                [" warning ", " error "].contains { line.contains($0) }
                    && line.replacing("\\\"", with: "\"").contains(missing.words)
            }
        }
    }
}
