import AssayCore
import JSON
import KubernetesClient
import KubernetesModel
import Subprocess
import TestCluster
import Testing

extension Stories {
    /// Of several operators that share a Lease one works: as programs, with the times that they have by default.
    @Suite struct TakeoverTests {
        private static let lease = ObjectKey(namespace: TestCluster.operatorAccount.namespace, name: "assay-operator")

        @Test(.timeLimit(.minutes(5)), arguments: Backend.all)
        func aStandbyFinishesWhatADeadLeaderHasBegunAndMakesNothingTwice(_ backend: Backend) async throws {
            try await StoryWorld.run(on: backend) { world in
                try await Self.forgetLease(world)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask {
                        let end = try await Self.replica("first", world, endedBy: .kill) {
                            try await Self.wait(for: "first", world)
                            try await world.apply(yaml: ToyModel().yaml)
                            _ = try await world.wait("training") { $0.phase == "Training" || $0.phase == "RollingOut" }
                        }
                        #expect(end == .signaled(9))
                    }
                    group.addTask {
                        try await Self.wait(for: "first", world)
                        let end = try await Self.replica("second", world, endedBy: .terminate) {
                            _ = try await world.wait("serving") {
                                $0.isTrue("Ready") && $0.phase == "Serving" && !$0.isTrue("Reconciling")
                            }
                            #expect(try await Self.holder(world).hasPrefix("second_"))
                        }
                        #expect(end == .exited(0))
                        #expect(try await !Self.holder(world).hasPrefix("second_"), "it has given the lease back")
                    }
                    group.addTask {
                        try await Self.wait(for: "second", world)
                        let end = try await Self.replica("third", world, endedBy: nil) {
                            try await Self.wait(for: "third", world)
                            try await Self.expectToWork(world)
                            _ = try await world.client.mergePatch(
                                .leases, Self.lease, ["spec": ["holderIdentity": "somebody else"]],
                                fieldManager: "story")
                        }
                        #expect(end == .exited(1), "whoever loses the lease ends, to be started anew")
                    }
                    for try await _ in group {}
                }
                for type in [ResourceType.trainingJobs, .jobs, .deployments, .services] {
                    #expect(try await world.count(type) == 1, "\(type)")
                }
                #expect(try await world.ask().status == 200)
                try await Self.forgetLease(world)
            }
        }

        @Test(arguments: [
            ("--lease", "x", "--lease: must be namespace/name or none, not 'x'"),
            ("--lease", "a/", "--lease: must be namespace/name or none, not 'a/'"),
            ("--lease-times", "15,10", "--lease-times: must be three numbers of seconds like 15,10,2, not '15,10'"),
            ("--lease-times", "10,15,2", "the lease duration must be longer than the renew deadline"),
            ("--lease-times", "15,2,2", "the renew deadline must be longer than 1.2 times the retry period"),
        ]) func optionsThatMakeNoSenseAreRefused(_ option: String, _ value: String, _ words: String) async throws {
            let program = try #require(ProgramUnderTest.assay)
            let result = try await Subprocess.run(
                .name("env"), arguments: [program, "operator", option, value], input: .none, output: .discarded,
                error: .string(limit: 1 << 20))
            #expect(result.terminationStatus == .exited(64))
            #expect(result.standardError.contains(words), "\(result.standardError)")
        }

        private static func replica(
            _ name: String, _ world: StoryWorld, endedBy signal: Signal?,
            _ body: @escaping @Sendable () async throws -> Void
        ) async throws -> TerminationStatus {
            try await ProgramRun.ofOperator(
                ["--instance", name, "--lease", "\(lease)"], on: world, endedBy: signal, body)
        }

        private static func wait(for name: String, _ world: StoryWorld) async throws {
            try await world.eventually("\(name) leads") { try await holder(world).hasPrefix("\(name)_") }
        }

        /// Empty where nobody leads.
        private static func holder(_ world: StoryWorld) async throws -> String {
            do throws(KubernetesError) {
                return try await world.client.get(.leases, lease)["spec", "holderIdentity"]?.string ?? ""
            } catch {
                guard error.isNotFound else { throw error }
                return ""
            }
        }

        /// A change of the model is answered.
        private static func expectToWork(_ world: StoryWorld) async throws {
            _ = try await world.client.mergePatch(
                .mlModels, world.key("wine"), ["spec": ["suspend": true]], fieldManager: "story")
            _ = try await world.wait("suspended") { $0.isObserved && $0.isTrue("Suspended") }
        }

        private static func forgetLease(_ world: StoryWorld) async throws {
            do throws(KubernetesError) {
                try await world.client.delete(.leases, lease)
            } catch {
                guard error.isNotFound else { throw error }
            }
        }
    }
}
