import AssayCore
import FoundationEssentials
import JSON
import KubernetesClient
import KubernetesModel
import TestCluster
import Testing
import YAML

extension Stories {
    /// What leaves a store with the history, and with the model: on real processes, with artifacts on a volume.
    @Suite struct RetentionTests {
        /// What is extracted is the same whatever the rate is.
        private static func model(rate: Int) -> String {
            """
            apiVersion: assay.dev/v1alpha1
            kind: MLModel
            metadata: {name: wine}
            spec:
              revisionHistoryLimit: 1
              deletionPolicy: Delete
              training:
                template:
                  spec:
                    parameters: {rate: "\(rate)"}
                    steps:
                    - name: extract
                      outputs: [rows]
                      reuse: Never
                      template:
                        spec:
                          containers:
                          - name: main
                            image: registry.local/toy:1
                            command: [sh, -ec, 'seq 1 100 > $ASSAY_OUTPUT_ROWS/rows.txt']
                    - name: fit
                      inputs: [rows]
                      outputs: [scaler, report]
                      parameters: [rate]
                      reuse: Never
                      template:
                        spec:
                          containers:
                          - name: main
                            image: registry.local/toy:1
                            command: [sh, -ec, 'for o in $ASSAY_OUTPUT_SCALER $ASSAY_OUTPUT_REPORT; do echo $ASSAY_PARAM_RATE $o > $o/rate; done']
              validation: {gate: None}
              serving:
                port: 8080
                artifacts: [scaler]
                progressDeadlineSeconds: 30
                imageFrom: [{container: server, step: fit}]
                template:
                  spec:
                    containers:
                    - name: server
                      command: [sh, -ec, 'cd $ASSAY_INPUT_SCALER; exec python3 -m http.server 8080']
                      readinessProbe: {httpGet: {path: /rate, port: 8080}, periodSeconds: 1}
            """
        }

        private static func blobs(_ volume: String) throws -> Set<String> {
            Set(try FileManager.default.contentsOfDirectory(atPath: "\(volume)/toy/blobs/sha256"))
        }

        /// The digests of what a run has made, by name, without `sha256:`.
        private static func made(_ model: JSONValue) -> [String: String] {
            var result: [String: String] = [:]
            for artifact in model["status", "runs"]?.array?.last?["artifacts"]?.array ?? [] {
                result[artifact["name"]?.string ?? ""] = artifact["digest"].map {
                    String(($0.string ?? "").dropFirst(7))
                }
            }
            return result
        }

        /// Somebody who needs an artifact, and does nothing else.
        private static func keeper(of digest: String) -> String {
            """
            apiVersion: assay.dev/v1alpha1
            kind: TrainingJob
            metadata: {name: keeper}
            spec:
              suspend: true
              parameters: {base: "sha256:\(digest)"}
              template: {spec: {containers: [{name: main, image: "registry.local/toy:1"}]}}
            """
        }

        private static func serve(_ world: StoryWorld, rate: Int, run: Int) async throws -> [String: String] {
            try await world.apply(yaml: model(rate: rate))
            let served = try await world.wait("serving rate \(rate)", seconds: 120) {
                $0.phase == "Serving" && $0.isTrue("Ready")
                    && $0["status", "runs"]?.array?.last?["number"]?.int == run
            }
            return made(served)
        }

        @Test(arguments: Backend.all) func theHistoryHasRoomForOneAndNothingOutlivesTheModel(
            _ backend: Backend
        ) async throws {
            let volume = try TemporaryDirectory()
            defer { volume.remove() }
            try await StoryWorld.run(on: backend) { world in
                try await world.withOperator(image: "assay:0.1.0") {
                    try await world.makeStore(at: volume.path)
                    let first = try await Self.serve(world, rate: 1, run: 1)
                    let scaler = try #require(first["scaler"])
                    let report = try #require(first["report"])
                    #expect(try Self.blobs(volume.path).isSuperset(of: first.values))
                    try await world.apply(yaml: Self.keeper(of: report))

                    let second = try await Self.serve(world, rate: 2, run: 2)
                    #expect(second["rows"] == first["rows"] && second["scaler"] != scaler)
                    try await world.eventually("what only the first run had is gone") {
                        let left = try Self.blobs(volume.path)
                        let model = try await world.model()
                        return !left.contains(scaler) && model["status", "removals"] == nil
                    }
                    #expect(try Self.blobs(volume.path).isSuperset(of: second.values), "the rows are the second's too")
                    #expect(try Self.blobs(volume.path).contains(report), "the other one refers to it")
                    #expect(try await world.model().phase == "Serving")

                    try await world.client.delete(.mlModels, world.key("wine"))
                    try await world.eventually("the model is gone") { try await world.count(.mlModels) == 0 }
                    // Of what the other one needs: a manifest, a configuration and a layer.
                    let left = try Self.blobs(volume.path)
                    #expect(left.contains(report) && left.count == 3)
                    #expect(
                        try FileManager.default.contentsOfDirectory(atPath: "\(volume.path)/toy/tags") == [],
                        "no name leads to nothing, and steps that are never reused have none")
                }
            }
        }

        @Test(arguments: Backend.all) func aNamespaceThatGoesIsNotHeldUp(_ backend: Backend) async throws {
            try await StoryWorld.run(on: backend) { world in
                try await world.withOperator(image: "assay:0.1.0") {
                    let name = "\(world.namespace)-going"
                    let namespace = ObjectKey(namespace: nil, name: name)
                    _ = try await world.client.create(
                        .namespaces, ["metadata": ["name": .string(name)]], fieldManager: "story")
                    let key = ObjectKey(namespace: name, name: "wine")
                    var model = try #require(try JSONValue.documents(yaml: Self.model(rate: 1)).first)
                    model["metadata", "namespace"] = .string(name)
                    _ = try await world.client.create(.mlModels, model, fieldManager: "story")
                    try await world.eventually("the model is held") {
                        let model = try await world.client.get(.mlModels, key)
                        return model["metadata", "finalizers"]?.array?.contains(.string(Finalizer.artifacts)) == true
                    }
                    try await world.client.delete(.namespaces, namespace)
                    try await world.eventually("the model is let go") {
                        try await world.client.listAll(.mlModels, namespace: name).items.isEmpty
                    }
                    try await world.eventually("it is told") {
                        try await world.client.listAll(.events, namespace: "kube-system").items.contains {
                            $0["reason"] == "ArtifactsRetained" && $0["regarding", "name"]?.string == name
                        }
                    }
                    // The story's own namespace has to have had something written in it.
                    try await world.apply(yaml: ToyModel(image: "registry.local/unknown:1").yaml)
                    try await world.wait("seen") { $0.isObserved }
                }
            }
        }
    }
}
