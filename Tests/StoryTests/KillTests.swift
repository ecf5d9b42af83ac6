import AssayCore
import JSON
import KubernetesClient
import KubernetesModel
import LocalCluster
import Subprocess
import TestCluster
import Testing

extension Stories {
    /// The operator as the program that it is: killed, and told to stop.
    @Suite struct KillTests {
        @Test(arguments: Backend.all) func aProgramThatIsKilledAgainAndAgainFinishesTheStoryWithTheSameObjects(
            _ backend: Backend
        ) async throws {
            try await StoryWorld.run(on: backend) { world in
                try await world.apply(yaml: ToyModel().yaml)
                let moments: [(String, @Sendable (JSONValue) -> Bool)] = [
                    ("seen", { $0["status", "observedGeneration"]?.integer == 1 }),
                    ("training", { $0.phase == "Training" || $0.phase == "RollingOut" || $0.phase == "Serving" }),
                    ("rolling out", { $0.phase == "RollingOut" || $0.phase == "Serving" }),
                    ("serving", { $0.phase == "Serving" && $0.isTrue("Ready") }),
                    ("serving still", { $0.phase == "Serving" && $0.isTrue("Ready") && !$0.isTrue("Reconciling") }),
                ]
                for (what, isReached) in moments {
                    _ = try await ProgramRun.ofOperator(on: world, endedBy: .kill) {
                        _ = try await world.wait(what) { isReached($0) }
                    }
                }
                for type in [ResourceType.trainingJobs, .jobs, .deployments, .services] {
                    #expect(try await world.count(type) == 1, "\(type)")
                }
                #expect(try await world.ask().status == 200)
            }
        }

        @Test(arguments: Backend.all) func aProgramThatIsToldToStopStopsInGoodOrder(_ backend: Backend) async throws {
            try await StoryWorld.run(on: backend) { world in
                try await world.apply(yaml: ToyModel().yaml)
                let end = try await ProgramRun.ofOperator(on: world, endedBy: .terminate) {
                    _ = try await world.wait("serving") { $0.phase == "Serving" && $0.isTrue("Ready") }
                }
                #expect(end == .exited(0))
            }
        }
    }
}
