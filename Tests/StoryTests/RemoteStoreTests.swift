import AssayCore
import Concurrency
import FoundationEssentials
import JSON
import KubernetesClient
import KubernetesModel
import Subprocess
import TestCluster
import Testing

extension Stories {
    /// Workflows whose pods reach a registry or a bucket, which fail them again and again.
    @Suite struct RemoteStoreTests {
        private static let passwords = "ann:$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e\n"

        private static func secret(_ name: String, _ files: [String: String]) -> JSONValue {
            [
                "metadata": ["name": .string(name)],
                "data": JSONValue(files.mapValues { Base64.encode(Array($0.utf8)) }),
            ]
        }

        private static func training(_ name: String, _ store: String, steps: String) -> String {
            """
            apiVersion: assay.dev/v1alpha1
            kind: TrainingJob
            metadata: {name: \(name)}
            spec:
              backoffLimit: 0
              artifactStore: {uri: "\(store)", secretRef: {name: store}}
              steps:
            \(steps)
            """
        }

        private static func step(_ name: String, inputs: [String] = [], outputs: [String], _ script: String) -> String {
            """
              - name: \(name)
                inputs: [\(inputs.joined(separator: ", "))]
                outputs: [\(outputs.joined(separator: ", "))]
                template:
                  spec:
                    containers:
                    - {name: main, image: "registry.local/toy:1", command: [sh, -ec, '\(script)']}
            """
        }

        /// Nothing was tried twice: no Job, no pod, no container.
        private static func expectNothingRanAgain(_ world: StoryWorld, _ training: JSONValue) async throws {
            for step in training["status", "steps"]?.array ?? [] {
                #expect(step["attempts"]?.array?.count == 1, "\(step["name"]?.string ?? "")")
            }
            let pods = try await world.client.listAll(.pods, namespace: world.namespace).items
                .filter { $0["metadata", "labels", Label.step] != nil }
            #expect(pods.count == training["status", "steps"]?.array?.count)
            for pod in pods {
                #expect(pod["status", "phase"] == "Succeeded")
                let containers =
                    (pod["status", "initContainerStatuses"]?.array ?? [])
                    + (pod["status", "containerStatuses"]?.array ?? [])
                #expect(containers.allSatisfy { $0["restartCount"]?.int == 0 })
            }
        }

        private static func digests(_ training: JSONValue) -> [String] {
            (training["status", "steps"]?.array ?? []).flatMap { $0["outputs"]?.array ?? [] }
                .compactMap { $0["digest"]?.string }
        }

        private static func check(_ artifact: String, credentials: String) async throws -> Bool {
            let program = try #require(ProgramUnderTest.assay)
            let result = try await Subprocess.run(
                .name("env"),
                arguments: [program, "artifact", "check", artifact, "--credentials-directory", credentials],
                input: .none, output: .discarded, error: .discarded)
            return result.terminationStatus == .exited(0)
        }

        /// The sizes of what the registry has received so far of blobs that are not complete.
        private static func uploads(_ directory: String) -> [String: Int] {
            let place = "\(directory)/data/docker/registry/v2/repositories/team/wine/_uploads"
            var result: [String: Int] = [:]
            for upload in (try? FileManager.default.contentsOfDirectory(atPath: place)) ?? [] {
                let attributes = try? FileManager.default.attributesOfItem(atPath: "\(place)/\(upload)/data")
                if let size = attributes?[.size] as? Int { result[upload] = size }
            }
            return result
        }

        private static func blobs(_ directory: String) -> Int {
            let place = "\(directory)/data/docker/registry/v2/blobs/sha256"
            let paths = (try? FileManager.default.subpathsOfDirectory(atPath: place)) ?? []
            return paths.count { $0.hasSuffix("/data") }
        }

        /// Kills the registry in the middle of an upload, ten times, each time of another blob, and lets it live then. (Debian's
        /// does not know an upload any more that it was killed in, and is sent it anew.)
        private static func killTenTimes(
            _ registry: StoreServer, while isUnderWay: @escaping @Sendable () async throws -> Bool,
            _ body: @escaping @Sendable () async throws -> Void
        ) async throws -> Int {
            let kills = Locked(0)
            while kills.withLock({ $0 }) < 10, try await isUnderWay() {
                try await registry.running {
                    let kept = kills.withLock { $0 } == 0 ? -1 : blobs(registry.directory)
                    var before: [String: Int]?
                    while try await isUnderWay() {
                        for _ in 0..<200 {
                            if let before {
                                guard !uploads(registry.directory).contains(where: { $0.value > before[$0.key] ?? 0 })
                                else {
                                    kills.withLock { $0 += 1 }
                                    return
                                }
                            } else if blobs(registry.directory) > kept {
                                before = uploads(registry.directory)
                            }
                            try await Task.sleep(for: .milliseconds(2))
                        }
                    }
                }
            }
            try await registry.running(body)
            return kills.withLock { $0 }
        }

        @Test func aRegistryThatIsKilledTenTimesCostsNoTraining() async throws {
            let directory = try TemporaryDirectory()
            defer { directory.remove() }
            let files = "\(directory.path)/secret"
            try FileManager.default.createDirectory(atPath: files, withIntermediateDirectories: true)
            try Self.passwords.write(toFile: "\(directory.path)/passwords", atomically: false, encoding: .utf8)
            let noise = { (name: String) in "head -c 16000000 /dev/urandom > $ASSAY_OUTPUT_\(name)/noise" }
            let steps = [
                Self.step(
                    "first", outputs: ["a", "b", "c", "j"], ["A", "B", "C", "J"].map(noise).joined(separator: "; ")),
                Self.step(
                    "second", inputs: ["a", "b"], outputs: ["d", "e", "f", "k"],
                    "cmp $ASSAY_INPUT_A/noise $ASSAY_INPUT_B/noise && exit 1; "
                        + ["D", "E", "F", "K"].map(noise).joined(separator: "; ")),
                Self.step(
                    "third", inputs: ["c", "d"], outputs: ["g", "h", "i", "l"],
                    "test -s $ASSAY_INPUT_C/noise; " + ["G", "H", "I", "L"].map(noise).joined(separator: "; ")),
            ]
            try await StoryWorld.run(on: .local) { world in
                let registry = try StoreServer.registry(
                    at: try await world.nodeAddress(), in: directory.path,
                    authentication: "htpasswd: {realm: test, path: \(directory.path)/passwords}")
                let secret = [
                    ".dockerconfigjson":
                        #"{"auths": {"\#(registry.host)": {"username": "ann", "password": "correct horse"}}}"#,
                    "ca.crt": String(decoding: registry.authority ?? [], as: UTF8.self),
                ]
                for (name, text) in secret {
                    try text.write(toFile: "\(files)/\(name)", atomically: false, encoding: .utf8)
                }
                let store = "oci://\(registry.host)/team/wine"
                try await world.withOperator(image: "assay:0.1.0") {
                    var object = Self.secret("store", secret)
                    object["metadata", "namespace"] = .string(world.namespace)
                    _ = try await world.client.create(.secrets, object, fieldManager: "story")
                    try await world.apply(yaml: Self.training("noise", store, steps: steps.joined(separator: "\n")))
                    @Sendable func isUnderWay() async throws -> Bool {
                        let phase = try await world.client.get(.trainingJobs, world.key("noise")).phase
                        return phase != "Succeeded" && phase != "Failed"
                    }
                    let kills = try await Self.killTenTimes(registry, while: isUnderWay) {
                        let done = try await world.wait("done", .trainingJobs, named: "noise", seconds: 120) {
                            $0.phase == "Succeeded" || $0.phase == "Failed"
                        }
                        #expect(done.phase == "Succeeded", "\(done["status"]?.serialized() ?? "")")
                        try await Self.expectNothingRanAgain(world, done)
                        let digests = Self.digests(done)
                        #expect(digests.count == 12)
                        for digest in digests {
                            #expect(try await Self.check("\(store)@\(digest)", credentials: files), "\(digest)")
                        }
                    }
                    #expect(kills == 10)
                }
            }
        }

        /// Five connections to the bucket break, each at another byte, and what was trained serves from it.
        @Test(arguments: Backend.all) func aBucketWhoseConnectionsBreakServesWhatWasTrained(
            _ backend: Backend
        ) async throws {
            let directory = try TemporaryDirectory()
            defer { directory.remove() }
            let relay = try FreePort.find()
            try await StoryWorld.run(on: backend) { world in
                let bucket = try StoreServer.bucket(
                    "models", at: try await world.nodeAddress(), in: directory.path, tls: true, relays: [relay],
                    cuts: 5)
                try await bucket.running {
                    try await world.withOperator(image: "assay:0.1.0") {
                        let secret = [
                            "AWS_ACCESS_KEY_ID": "AKIAANN0000000000000",
                            "AWS_SECRET_ACCESS_KEY": "correct/horse+battery", "AWS_REGION": "us-east-1",
                            "AWS_ENDPOINT_URL": "https://\(bucket.address):\(relay)",
                            "ca.crt": String(decoding: bucket.authority ?? [], as: UTF8.self),
                        ]
                        var object = Self.secret("store", secret)
                        object["metadata", "namespace"] = .string(world.namespace)
                        _ = try await world.client.create(.secrets, object, fieldManager: "story")
                        try await world.apply(yaml: Self.model)
                        let served = try await world.wait("serving", seconds: 120) {
                            $0.phase == "Serving" && $0.isTrue("Ready")
                        }
                        let name = try #require(served["status", "runs"]?[0]?["trainingJob"]?.string)
                        let training = try await world.client.get(.trainingJobs, world.key(name))
                        try await Self.expectNothingRanAgain(world, training)
                        #expect(try bucket.cuts(byRelay: relay) == 5)
                        // And with the model its artifacts go.
                        try await world.client.delete(.mlModels, world.key("wine"))
                        try await world.eventually("the model is gone") { try await world.count(.mlModels) == 0 }
                        let files = "\(directory.path)/secret"
                        try FileManager.default.createDirectory(atPath: files, withIntermediateDirectories: true)
                        for (name, text) in secret {
                            try text.write(toFile: "\(files)/\(name)", atomically: false, encoding: .utf8)
                        }
                        #expect(Self.digests(training).count == 4)
                        for digest in Self.digests(training) {
                            let place = "s3://models/team/wine@\(digest)"
                            #expect(try await !Self.check(place, credentials: files), "\(digest)")
                        }
                    }
                }
            }
        }

        private static var model: String {
            let steps = [
                step(
                    "extract", outputs: ["rows", "more", "others"],
                    "for o in $ASSAY_OUTPUT_ROWS $ASSAY_OUTPUT_MORE $ASSAY_OUTPUT_OTHERS; "
                        + "do head -c 1000000 /dev/urandom > $o/noise; done"),
                step(
                    "fit", inputs: ["rows", "more", "others"], outputs: ["scaler"],
                    "cat $ASSAY_INPUT_ROWS/noise $ASSAY_INPUT_MORE/noise | sha256sum > $ASSAY_OUTPUT_SCALER/sum"),
            ].joined(separator: "\n").split(separator: "\n").map { "        \($0)" }.joined(separator: "\n")
            return """
                apiVersion: assay.dev/v1alpha1
                kind: MLModel
                metadata: {name: wine}
                spec:
                  deletionPolicy: Delete
                  training:
                    template:
                      spec:
                        backoffLimit: 0
                        artifactStore: {uri: "s3://models/team/wine", secretRef: {name: store}}
                        steps:
                \(steps)
                  validation: {gate: None}
                  serving:
                    port: 8080
                    artifacts: [scaler]
                    progressDeadlineSeconds: 60
                    imageFrom: [{container: server, step: fit}]
                    template:
                      spec:
                        containers:
                        - name: server
                          command: [sh, -ec, 'cd $ASSAY_INPUT_SCALER; exec python3 -m http.server 8080']
                          readinessProbe: {httpGet: {path: /sum, port: 8080}, periodSeconds: 1}
                """
        }
    }
}
