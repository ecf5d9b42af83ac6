import AssayCore
import Concurrency
import FoundationEssentials
import JSON
import KubernetesClient
import KubernetesModel
import TestCluster
import Testing

extension Stories {
    /// Every right in `manifests/cluster/rbac.yaml` is taken away in its turn: a story breaks, the operator says what is missing,
    /// and the story ends well when the right is given back, without a restart.
    @Suite struct RightsTests {
        /// How many operators work at once, each in a namespace of its own.
        private static let width = 14

        @Test(arguments: Backend.all) func noRightCanBeMissedAndNoneIsTooMany(_ backend: Backend) async throws {
            let shipped = try Right.shipped()
            let environment = ProcessInfo.processInfo.environment
            let chosen = environment["ASSAY_RIGHTS"].flatMap { $0 == "all" ? nil : $0.split(separator: ",") }
            let takesAll = chosen == nil && (backend == .local || environment["ASSAY_RIGHTS"] == "all")
            let taken = shipped.sorted().filter { right in
                if let chosen { return chosen.contains { right.description.contains($0) } }
                return takesAll || MissingRight.representative.contains(right.description)
            }
            #expect(chosen != nil || taken.count == (takesAll ? shipped.count : MissingRight.representative.count))
            let used = Locked<[String: Int]>([:])
            try await TestCluster.run(on: backend) { cluster in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for (number, right) in taken.enumerated() {
                        if number >= Self.width { try await group.next() }
                        group.addTask { await Self.miss(right, of: shipped, on: cluster, used) }
                    }
                    for try await _ in group {}
                }
            }
            let asked = used.withLock { $0 }
            Self.printTable(shipped, asked)
            let names = Set(shipped.map(\.description))
            #expect(Set(asked.keys).subtracting(names) == [], "used, and not in rbac.yaml")
            // Nobody asks to update finalizers: another request is refused where the right is missing.
            let silent = Set(shipped.filter { $0.resource.hasSuffix("/finalizers") }.map(\.description))
            if takesAll {
                #expect(names.subtracting(silent).subtracting(asked.keys) == [], "in rbac.yaml, and not used")
            }
        }

        private static func miss(
            _ right: Right, of shipped: Set<Right>, on cluster: TestCluster, _ used: Locked<[String: Int]>
        ) async {
            guard let missing = MissingRight(right) else {
                Issue.record("no story needs the right to \(right): take it out of manifests/cluster/rbac.yaml")
                return
            }
            do {
                let namespace = "right-\(UInt32.random(in: .min ... .max))"
                try await StoryWorld.run(on: cluster, namespace: namespace) { world in
                    let limited = LimitedOperator(world, image: missing.story.image)
                    try await missing.story.prepare(world)
                    try await limited.install(shipped.subtracting([right]))
                    try await limited.run { try await Self.tell(missing, shipped, limited) }
                    try await world.eventually("the requests of \(right)'s story are counted") {
                        let requests = try await limited.requests()
                        // A real API server counts a watch when it has ended.
                        guard let watch = requests["watch mlmodels.assay.dev"], watch.count > watch.refused else {
                            return false
                        }
                        // What was refused was asked for, too; where the story goes on without, perhaps only then.
                        used.withLock { used in for (name, of) in requests { used[name, default: 0] += of.count } }
                        return true
                    }
                    try await limited.uninstall()
                }
            } catch {
                Issue.record("without the right to \(right): \(error)")
            }
        }

        private static func tell(_ missing: MissingRight, _ shipped: Set<Right>, _ limited: LimitedOperator)
            async throws
        {
            let (world, right) = (limited.world, missing.right)
            try await missing.story.begin(world)
            try await world.eventually("the operator says that it misses the right to \(right)") {
                try await isSaid(missing, limited)
            }
            try await world.eventually("the server has refused to \(missing.refused)") {
                try await limited.requests()[missing.refused]?.refused ?? 0 > 0
            }
            // Long enough to see a hot loop, in which there would be hundreds.
            try await Task.sleep(for: .seconds(2))
            let refused = try await limited.requests().mapValues(\.refused).filter { $0.value > 0 }
            #expect(refused.values.allSatisfy { $0 < 40 }, "without the right to \(right): \(refused)")
            #expect(Set(refused.keys) == [missing.refused], "without the right to \(right) alone")
            if !missing.leavesTheStoryWhole {
                #expect(try await !missing.story.isOver(world), "the story ended without the right to \(right)")
            }

            try await limited.grant(shipped, among: right)
            try await world.eventually("the story ends with the right to \(right)") {
                try await missing.story.isOver(world)
            }
            try await world.eventually("the operator is ready with the right to \(right)") {
                try await limited.readiness()?.isReady == true
            }
            if missing.sign == .condition {
                #expect(try await !isSaid(missing, limited), "\(right) is not missing now")
            }
            if right.description == "get pods" {
                try await world.eventually("the operator knows its image") {
                    limited.log.contains { $0.contains("own image") && $0.contains("registry.local/toy") }
                }
            }
        }

        /// Whether the operator says, in its place, what the server says.
        private static func isSaid(_ missing: MissingRight, _ limited: LimitedOperator) async throws -> Bool {
            let world = limited.world
            switch missing.sign {
            case .readiness:
                guard let readiness = try await limited.readiness() else { return false }
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
                return limited.log.contains {
                    $0.contains("warning") && $0.replacing("\\\"", with: "\"").contains(missing.words)
                }
            }
        }

        private static func printTable(_ shipped: Set<Right>, _ asked: [String: Int]) {
            for right in shipped.sorted() {
                let count = asked[right.description].map(String.init) ?? "-"
                print("\(String(repeating: " ", count: max(0, 6 - count.count)))\(count)  \(right)")
            }
        }
    }
}
