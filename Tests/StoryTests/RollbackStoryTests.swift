import AssayCore
import JSON
import KubernetesClient
import KubernetesModel
import TestCluster
import Testing

extension Stories {
    /// A revision that was good when it was tried, and crashes in service.
    @Suite struct RollbackStoryTests {
        /// It serves for a while, and then never again, however often it is started.
        private static let fragile = ToyModel(
            serverCommand: #"/bin/sh", "-c", "mkdir /scratch/began && timeout 15 serve; exit 3"#
        ).yaml
            .replacing(
                "        containers:\n        - name: server",
                with: "        volumes: [{name: scratch, emptyDir: {}}]\n        containers:\n        - name: server"
            )
            .replacing(
                "          readinessProbe:",
                with: "          volumeMounts: [{name: scratch, mountPath: /scratch}]\n          readinessProbe:")

        @Test(arguments: Backend.all) func whatServedBeforeServesAgainAndTheSpecStaysAsItIs(
            _ backend: Backend
        ) async throws {
            try await StoryWorld.run(on: backend) { world in
                try await world.withOperator {
                    try await world.apply(yaml: ToyModel().yaml)
                    let first = try await world.wait("serving", seconds: 120) { $0.isTrue("Ready") }.revision
                    let answer = try await world.ask()
                    try await world.apply(yaml: Self.fragile)
                    let second = try await world.wait("serving the second one", seconds: 120) {
                        $0.isObserved && $0.isTrue("RolledOut") && $0.revision != first
                    }
                    try await world.eventually("the first one rests") {
                        let all = try await world.client.listAll(.deployments, namespace: world.namespace).items
                        return all.count == 2 && all.contains { $0["spec", "replicas"] == 0 }
                    }
                    let spec = try await world.model()["spec"]
                    let back = try await world.wait("serving the first one again", seconds: 180) {
                        $0.revision == first && $0.isTrue("Ready") && $0.isTrue("Stalled")
                    }
                    #expect(back.condition("Stalled")?.reason == "RolledBack")
                    #expect(back.condition("Stalled")?.message.contains("exit code 3") == true)
                    #expect(try await world.ask() == answer)
                    let after = try await world.model()
                    #expect(after["spec"] == spec)
                    let left = after["status", "revisions"]?.array?.first { $0["name"]?.string == second.revision }
                    #expect(left?["state"] == "Failed" && left?["reason"] == "RolledBack")

                    try await world.apply(yaml: ToyModel().yaml)
                    try await world.wait("no longer stalled", seconds: 60) {
                        $0.isObserved && $0.isTrue("Ready") && !$0.isTrue("Stalled") && $0.revision == first
                    }
                }
            }
        }
    }
}
