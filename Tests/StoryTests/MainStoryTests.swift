import APIServerModel
import AssayCore
import JSON
import KubernetesClient
import KubernetesModel
import LocalCluster
import TestCluster
import Testing

extension Stories {
    /// The main job, from YAML to answers, on real processes.
    @Suite struct MainStoryTests {
        @Test(arguments: Backend.all) func aGoodModelIsTrainedJudgedAndServedAndABadOneChangesNothing(
            _ backend: Backend
        ) async throws {
            try await StoryWorld.run(on: backend) { world in
                try await world.withOperator {
                    try await world.apply(yaml: ToyModel().yaml)
                    let serving = try await world.wait("serving") { $0.isTrue("Ready") && $0.phase == "Serving" }
                    let first = try #require(serving.revision)
                    #expect(serving["status", "verdict"]?.string == "accuracy 0.97 ≥ 0.93")
                    #expect(serving["status", "url"]?.string == "http://wine.\(world.namespace).svc")
                    #expect(KStatus.compute(serving).phase == .current)
                    let answer = try await world.ask()
                    #expect(answer.status == 200)

                    try await world.apply(yaml: ToyModel(accuracy: "0.5").yaml)
                    let refused = try await world.wait("refused") { $0.isObserved && $0.isTrue("Stalled") }
                    #expect(refused.revision == first)
                    #expect(refused.isTrue("Ready"))
                    #expect(refused.condition("Stalled")?.message.contains("0.5") == true)
                    #expect(KStatus.compute(refused).phase == .failed)
                    #expect(try await world.ask() == answer)
                    #expect(try await world.count(.deployments) == 1)

                    try await world.apply(yaml: ToyModel(accuracy: "0.99").yaml)
                    let better = try await world.wait("serving the better one") {
                        $0.isObserved && $0.isTrue("Ready") && !$0.isTrue("Reconciling") && $0.revision != first
                    }
                    #expect(better.isTrue("Stalled") == false)
                    // Endpoints follow the Service's selector when their controller comes to it.
                    try await world.eventually("answers of the better one") {
                        try await world.ask().body != answer.body
                    }
                    #expect(try await world.count(.trainingJobs) == 3)
                }
            }
        }

        /// On all backends at once, for there is nothing but waiting.
        @Test func theSameFileAgainIsNoNewGenerationAndIdlenessIsSilent() async throws {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for backend in Backend.all {
                    group.addTask { try await StoryWorld.run(on: backend) { try await Self.rest($0) } }
                }
                for try await _ in group {}
            }
        }

        private static func rest(_ world: StoryWorld) async throws {
            try await world.withOperator {
                try await world.apply(yaml: ToyModel().yaml)
                let serving = try await world.wait("at rest") {
                    $0.isTrue("Ready") && $0.phase == "Serving" && !$0.isTrue("Reconciling")
                }
                try await world.apply(yaml: ToyModel().yaml)
                #expect(try await world.model().generation == serving.generation)
                // What follows a rollout by design, such as the end of the events, may still be under way.
                try await Task.sleep(for: .seconds(10))
                let before = try await Self.operatorWrites(world)
                try await Task.sleep(for: .seconds(60))
                let after = try await Self.operatorWrites(world)
                #expect(after == before, "on \(world.cluster.backend.testDescription)")
                #expect(before.values.reduce(0, +) > 5, "the operator's writes were not counted")
            }
        }

        /// The operator's write requests, also those that changed nothing or were refused.
        private static func operatorWrites(_ world: StoryWorld) async throws -> [RequestRecord: Int] {
            try await world.operatorRequests().filter { $0.key.writes }
        }

        @Test(arguments: Backend.all) func eachChangeOfTheSpecDoesWhatTheDocumentationSays(_ backend: Backend)
            async throws
        {
            try await StoryWorld.run(on: backend) { world in
                try await world.withOperator {
                    try await world.apply(yaml: ToyModel().yaml)
                    let first = try await world.wait("serving") { $0.isTrue("Ready") && $0.phase == "Serving" }

                    // Validation judges the stored metrics again and trains nothing; what serves goes on.
                    try await world.apply(yaml: ToyModel(threshold: "0.98").yaml)
                    let strict = try await world.wait("judged again") {
                        $0.isObserved && $0.condition("Validated")?.status == .false
                    }
                    #expect(strict.revision == first.revision)
                    #expect(try await world.count(.trainingJobs) == 1)
                    try await world.apply(yaml: ToyModel().yaml)
                    _ = try await world.wait("validated again") { $0.isObserved && $0.isTrue("Validated") }

                    // Replicas scale, and neither train nor make a revision.
                    try await world.apply(yaml: ToyModel(replicas: 2).yaml)
                    let scaled = try await world.wait("of two replicas") {
                        $0.isObserved && $0["status", "replicas"]?.int == 2 && $0.isTrue("Ready")
                    }
                    #expect(scaled.revision == first.revision)
                    #expect(try await world.count(.trainingJobs) == 1)

                    // The serving template rolls the same trained bits out.
                    let before = try await world.ask().body
                    try await world.apply(
                        yaml: ToyModel(serverCommand: "/bin/sh\", \"-c\", \"exec serve", replicas: 2).yaml)
                    let moved = try await world.wait("of another revision") {
                        $0.isObserved && $0.isTrue("Ready") && $0.revision != first.revision
                            && !$0.isTrue("Reconciling")
                    }
                    #expect(moved.revision != nil)
                    #expect(try await world.ask().body == before)
                    #expect(try await world.count(.trainingJobs) == 1)
                }
            }
        }

        @Test(arguments: Backend.all) func deletingAModelTakesAllThatWasMadeForItAlong(_ backend: Backend) async throws
        {
            try await StoryWorld.run(on: backend) { world in
                try await world.withOperator {
                    try await world.apply(yaml: ToyModel().yaml)
                    _ = try await world.wait("serving") { $0.isTrue("Ready") }
                    try await world.client.delete(
                        .mlModels, world.key("wine"), DeleteOptions(propagation: .foreground))
                    for type in [ResourceType.trainingJobs, .jobs, .deployments, .replicaSets, .services, .pods] {
                        var left = try await world.count(type)
                        for _ in 0..<200 where left > 0 {
                            try await Task.sleep(for: .milliseconds(50))
                            left = try await world.count(type)
                        }
                        #expect(left == 0, "\(type) are left")
                    }
                }
            }
        }

        @Test(arguments: Backend.all) func aTrainingJobOfItsOwnRecordsWhatItMeasured(_ backend: Backend) async throws {
            try await StoryWorld.run(on: backend) { world in
                try await world.withOperator {
                    try await world.apply(
                        yaml: """
                            apiVersion: assay.dev/v1alpha1
                            kind: TrainingJob
                            metadata: {name: alone}
                            spec:
                              parameters: {metrics: '{"accuracy": 0.9, "loss": NaN, "f1": "0.8", "auc": "good"}'}
                              template:
                                spec:
                                  restartPolicy: Never
                                  containers: [{name: train, image: "registry.local/toy:1", command: [train]}]
                            """)
                    let done = try await world.wait("complete", .trainingJobs, named: "alone") {
                        $0.phase == "Succeeded"
                    }
                    let job = try TrainingJob(json: done)
                    let metrics = try #require(job.status.value?.metrics)
                    #expect(Set(metrics.map(\.name)) == ["accuracy", "loss", "f1", "auc"])
                    #expect(job.status.value?.images.first?.digest?.hasPrefix("sha256:") == true)
                    #expect(KStatus.compute(done).phase == .current)
                }
            }
        }
    }
}
