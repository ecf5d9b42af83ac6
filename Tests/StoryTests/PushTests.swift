import AssayCore
import AssayOperator
import Concurrency
import CurlTransport
import HTTPTransport
import JSON
import KubernetesClient
import KubernetesModel
import TestCluster
import Testing

extension Stories {
    /// A training tells how far it is, by the operator's own HTTPS, while it runs; and nobody else can.
    @Suite struct PushTests {
        private static let service = ObjectKey(namespace: "assay-system", name: "assay-push")

        /// Pushes until it is told to go on, which a file on the pod's own disk does, then once more, and ends.
        private static func training(_ name: String) -> String {
            """
            apiVersion: assay.dev/v1alpha1
            kind: TrainingJob
            metadata: {name: \(name)}
            spec:
              backoffLimit: 0
              template:
                spec:
                  restartPolicy: Never
                  containers:
                  - name: train
                    image: registry.local/toy:1
                    command:
                    - /bin/sh
                    - -c
                    - |
                      set -eu
                      push() {
                        curl --silent --show-error --fail-with-body --retry 60 --retry-delay 1 --retry-all-errors \\
                          --cacert "$ASSAY_PUSH_CA_FILE" --header "Content-Type: application/json" \\
                          --header "Authorization: Bearer $(cat "$ASSAY_PUSH_TOKEN_FILE")" --data "$1" "$ASSAY_PUSH_URL"
                      }
                      for percent in $(seq 1 40); do
                        push "{\\"progressPercentage\\": $percent, \\"estimatedRemainingSeconds\\": $((40 - percent)),
                          \\"metrics\\": [{\\"name\\": \\"loss\\", \\"value\\": $((100 - percent)), \\"split\\": \\"train\\"}]}"
                        sleep 1
                      done
                      push '{"progressPercentage": 100}'
                      echo '{"accuracy": 0.97}' > "$ASSAY_METRICS_FILE"
            """
        }

        /// As the installation has it.
        private static func makeService(_ world: StoryWorld) async throws {
            let ports: JSONValue = [["name": "push", "port": 443, "targetPort": 8443, "protocol": "TCP"]]
            _ = try await world.client.apply(.services, service, ["spec": ["ports": ports]], fieldManager: "install")
        }

        private static func configuration(_ world: StoryWorld) async throws -> OperatorConfiguration.Push {
            .init(
                address: .init(host: "0.0.0.0", port: 0), service: service, endpoint: try await world.nodeAddress())
        }

        @Test(arguments: Backend.all) func aTrainingTellsHowFarItIsAndNobodyElseCan(_ backend: Backend) async throws {
            try await StoryWorld.run(on: backend) { world in
                try await Self.makeService(world)
                let port = Locked<Int?>(nil)
                try await world.withOperator(
                    push: try await Self.configuration(world), onTakingPushes: { taken in port.withLock { $0 = taken } }
                ) {
                    try await world.apply(yaml: Self.training("wine"))
                    try await world.apply(yaml: Self.training("beer"))
                    let told = try await world.wait("further", .trainingJobs, seconds: 90) {
                        $0["status", "progress", "percentage"]?.int ?? 0 > 0
                    }
                    try await world.wait("further", .trainingJobs, named: "beer", seconds: 90) {
                        $0["status", "progress"] != nil
                    }
                    let progress = told["status", "progress"]
                    #expect(told.phase == "Running", "\(told["status"] ?? .null)")
                    #expect(
                        progress?["metrics"]?[0]?["name"] == "loss" && progress?["metrics"]?[0]?["split"] == "train")
                    #expect(progress?["attempt"] == 1 && progress?["history"]?[0]?["points"]?[0]?["second"] == 0)
                    #expect(told["status", "metrics"] == nil, "no verdict is by what is pushed")
                    try await Self.expectItIsPrinted(world)
                    try await Self.expectNobodyElseIsHeard(world, try #require(port.withLock { $0 }))

                    let done = try await world.wait("done", .trainingJobs, seconds: 120) {
                        ["Succeeded", "Failed"].contains($0.phase)
                    }
                    #expect(done.phase == "Succeeded", "\(done["status"] ?? .null)")
                    #expect(done["status", "progress", "percentage"] == 100, "the last push is not left out")
                    #expect(done["status", "metrics"]?.array?.map { $0["name"] } == ["accuracy"])
                    let points = done["status", "progress", "history"]?[0]?["points"]?.array ?? []
                    #expect(points.count >= 20 && points.first?["value"] == "99" && points.last?["value"] == "60")
                }
            }
        }

        private static func expectItIsPrinted(_ world: StoryWorld) async throws {
            try await Administrator.of(world.cluster) { kubectl in
                let lines = try await kubectl("-n", world.namespace, "get", "tj", "wine").split(separator: "\n")
                let columns = try #require(lines.first).split(whereSeparator: \.isWhitespace)
                let values = try #require(lines.last).split(whereSeparator: \.isWhitespace)
                let index = try #require(columns.firstIndex(of: "PROGRESS"), "\(lines)")
                #expect((1...40).contains(Int(values[index]) ?? 0), "\(lines)")
            }
        }

        // MARK: Who is refused

        private static func token(
            of pod: ObjectKey, audience: String = PushChannel.audience, _ world: StoryWorld
        ) async throws -> String {
            let answer = try await world.client.create(
                .serviceAccounts,
                [
                    "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
                    "metadata": ["name": "default", "namespace": JSONValue(pod.namespace) ?? .null],
                    "spec": [
                        "audiences": [.string(audience)],
                        "boundObjectRef": ["apiVersion": "v1", "kind": "Pod", "name": .string(pod.name)],
                    ],
                ], subresource: "token", fieldManager: "story")
            return try #require(answer["status", "token"]?.string)
        }

        /// A pod that no node takes.
        private static func makePod(_ name: String, in namespace: String, _ world: StoryWorld) async throws -> ObjectKey
        {
            let key = ObjectKey(namespace: namespace, name: name)
            _ = try await world.client.create(
                .pods,
                [
                    "metadata": ["name": .string(name), "namespace": .string(namespace)],
                    "spec": [
                        "nodeName": "nowhere", "containers": [["name": "main", "image": "registry.local/toy:1"]],
                    ],
                ], fieldManager: "story")
            return key
        }

        private static func pod(of training: String, _ world: StoryWorld) async throws -> ObjectKey {
            let pods = try await world.client.listAll(
                .pods, namespace: world.namespace, ListOptions(labelSelector: "\(Label.trainingJob)=\(training)")
            ).items
            return world.key(try #require(pods.first?["metadata", "name"]?.string))
        }

        private static func expectNobodyElseIsHeard(_ world: StoryWorld, _ port: Int) async throws {
            let map = try await world.client.get(.configMaps, world.key(PushChannel.authorities))
            var configuration = TransportConfiguration(server: "https://\(try await world.nodeAddress()):\(port)")
            configuration.certificateAuthorityPEM = Array((map["data", "ca.crt"]?.string ?? "").utf8)
            configuration.tlsServerName = "assay-push.assay-system.svc"
            let transport = try CurlTransport(configuration)
            defer { transport.shutdown() }
            func push(
                _ token: String?, to training: String = "wine", _ body: String = #"{"progressPercentage": 99}"#
            ) async throws -> (status: Int, json: JSONValue) {
                var request = HTTPRequest(
                    .post, PushTarget.path(namespace: world.namespace, name: training),
                    delivery: .unary(timeout: .seconds(20)))
                request.headers["Authorization"] = token.map { "Bearer \($0)" }
                request.headers["Content-Type"] = "application/json"
                request.body = Array(body.utf8)
                let response = try await transport.send(request)
                let bytes = try await response.body.collect()
                return (response.status, try JSONValue(parsing: bytes))
            }

            let own = try await pod(of: "wine", world)
            let elsewhere = try await makePod("stranger-\(UInt32.random(in: .min ... .max))", in: "default", world)
            let gone = try await makePod("gone", in: world.namespace, world)
            let revoked = try await token(of: gone, world)
            try await world.client.delete(.pods, gone, DeleteOptions(gracePeriodSeconds: 0))
            try await world.eventually("the pod is gone") {
                try await !world.client.listAll(.pods, namespace: world.namespace).items.contains {
                    $0["metadata", "name"]?.string == gone.name
                }
            }
            let good = try await token(of: own, world)
            let cases: [(String, Int, (status: Int, json: JSONValue))] = [
                ("no token", 401, try await push(nil)),
                ("a token for another audience", 401, try await push(try await token(of: own, audience: "x", world))),
                ("a token of a pod that is gone", 401, try await push(revoked)),
                ("a token of another namespace", 403, try await push(try await token(of: elsewhere, world))),
                ("a pod of another job", 403, try await push(try await token(of: pod(of: "beer", world), world))),
                ("another job", 403, try await push(good, to: "beer")),
                ("no such job", 404, try await push(good, to: "none")),
                ("a field that is wrong", 422, try await push(good, #"{"progressPercentage": 101}"#)),
                ("too much", 413, try await push(good, String(repeating: " ", count: 70_000))),
            ]
            for (what, code, answer) in cases {
                #expect(answer.status == code && answer.json["code"]?.int == code, "\(what): \(answer)")
                #expect(answer.json["kind"] == "Status", "\(what): \(answer)")
            }
            try await world.client.delete(.pods, elsewhere, DeleteOptions(gracePeriodSeconds: 0))
            let now = try await world.client.get(.trainingJobs, world.key("wine"))
            #expect(now["status", "progress", "percentage"] != 99)
            #expect(try await push(good, #"{"estimatedRemainingSeconds": 7}"#).status == 202)
        }
    }
}
