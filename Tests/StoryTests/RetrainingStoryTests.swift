import AssayCore
import JSON
import KubernetesClient
import KubernetesModel
import Subprocess
import TestCluster
import Testing

extension Stories {
    /// A model that is made anew by hand, on real processes.
    @Suite struct RetrainingStoryTests {
        @Test(arguments: Backend.all) func aPersonHasItMadeAnewBesideWhatServes(_ backend: Backend) async throws {
            try await StoryWorld.run(on: backend) { world in
                try await world.withOperator {
                    try await world.apply(yaml: ToyModel().yaml)
                    let first = try await world.wait("serving", seconds: 120) { $0.isTrue("Ready") }.revision
                    let program = try #require(ProgramUnderTest.assay)
                    let result = try await Subprocess.run(
                        .name("env"),
                        arguments: [
                            program, "retrain", "wine", "-n", world.namespace, "--kubeconfig",
                            world.cluster.kubeconfigPath,
                        ], input: .none, output: .string(limit: 1 << 16), error: .string(limit: 1 << 16))
                    #expect(result.terminationStatus.isSuccess, "\(result.standardError)")
                    let again = try await world.wait("serving what was made anew", seconds: 120) {
                        $0.isTrue("Ready") && $0.revision != first && $0.phase == "Serving"
                    }
                    let runs = again["status", "runs"]?.array ?? []
                    #expect(runs.map { $0["trigger"]?.string } == ["Created", "Requested"])
                    #expect(again["status", "observedGeneration"] == 1 && !again.isTrue("Stalled"))
                    #expect(again["status", "aliases", "champion"]?.string == again.revision)
                    #expect(try await world.ask().status == 200)
                }
            }
        }

        /// Every minute has its time, on the clocks of a place.
        @Test(arguments: Backend.all) func aScheduleMakesItAnew(_ backend: Backend) async throws {
            try await StoryWorld.run(on: backend) { world in
                try await world.withOperator {
                    try await world.apply(
                        yaml: ToyModel().yaml.replacing(
                            "  training:\n",
                            with: "  training:\n    schedule: '* * * * *'\n    timeZone: Asia/Kathmandu\n"))
                    let first = try await world.wait("serving", seconds: 120) { $0.isTrue("Ready") }.revision
                    let again = try await world.wait("serving what the schedule has made", seconds: 120) {
                        $0.isTrue("Ready") && $0.revision != first
                    }
                    #expect(again["status", "runs"]?[1]?["trigger"] == "Scheduled")
                    #expect(again["status", "retraining", "schedule"] == "* * * * * Asia/Kathmandu")
                    try await world.apply(
                        yaml: ToyModel().yaml.replacing(
                            "  training:\n",
                            with: "  training:\n    schedule: '* * * * *'\n    timeZone: Asia/Atlantis\n"))
                    let wrong = try await world.wait("a mistake", seconds: 60) { $0.isObserved && $0.isTrue("Stalled") }
                    #expect(wrong.condition("Stalled")?.message.contains("spec.training.timeZone") == true)
                    #expect(wrong.isTrue("Ready"))
                }
            }
        }
    }
}
