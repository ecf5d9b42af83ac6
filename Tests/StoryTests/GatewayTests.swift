import AssayCore
import Concurrency
import JSON
import KubernetesClient
import KubernetesModel
import Subprocess
import TestCluster
import Testing

extension Stories {
    /// The installation with the gateway, as its Deployments run it: requests go through it, and an idle model sleeps.
    @Suite struct GatewayTests {
        /// The toy model, which may sleep after five seconds.
        private static let model = ToyModel().yaml.replacing(
            "    replicas: 1\n",
            with: "    autoscaling: {minReplicas: 0, maxReplicas: 2, idleAfter: 5s}\n")

        /// What kubectl is told that forwards a port of this machine to the model.
        private static func portForward(_ world: StoryWorld) async throws -> String {
            let program = try #require(ProgramUnderTest.assay)
            let result = try await Subprocess.run(
                .name("env"),
                arguments: [
                    program, "port-forward", "wine", "9999", "-n", world.namespace, "--kubectl", "echo", "--kubeconfig",
                    world.cluster.kubeconfigPath,
                ], input: .none, output: .string(limit: 1 << 16), error: .string(limit: 1 << 16))
            #expect(result.terminationStatus.isSuccess, "\(result.standardError)")
            return result.standardOutput
        }

        /// kubectl forwards to Services with selectors by itself.
        @Test func withoutAGatewayPortsAreForwardedToTheService() async throws {
            try await StoryWorld.run(on: .local) { world in
                try await world.apply(yaml: ToyModel().yaml)
                let words = try await Self.portForward(world)
                #expect(
                    words.hasSuffix("--namespace \(world.namespace) port-forward service/wine 9999:80\n"), "\(words)")
            }
        }

        private static func replicas(_ world: StoryWorld) async throws -> Int {
            let ofModel = ListOptions(labelSelector: "\(Label.model)=wine")
            let all = try await world.client.listAll(.deployments, namespace: world.namespace, ofModel).items
            return all.reduce(0) { $0 + ($1["spec", "replicas"]?.int ?? 0) }
        }

        private static func waitForSleep(_ world: StoryWorld) async throws {
            try await world.wait("asleep", seconds: 120) { $0.phase == "Hibernating" && $0.isTrue("Hibernated") }
            #expect(try await replicas(world) == 0)
            try await world.eventually("its pods are gone") {
                let ofModel = ListOptions(labelSelector: "\(Label.model)=wine,\(Label.revision)")
                let pods = try await world.client.listAll(.pods, namespace: world.namespace, ofModel).items
                return pods.isEmpty
            }
        }

        @Test(arguments: Backend.all) func anIdleModelSleepsAndTheFirstRequestWakesIt(_ backend: Backend) async throws {
            try await GatewayInstallation.run(on: backend) { world, kubectl in
                try await world.apply(yaml: Self.model)
                let serving = try await world.wait("serving", seconds: 120) {
                    $0.phase == "Serving" && $0.isTrue("Ready")
                }
                let port = try #require(serving["status", "gatewayPort"]?.int)
                let service = try await world.client.get(.services, world.key("wine"))
                #expect(service["spec", "selector"] == nil && service["spec", "ports"]?[0]?["targetPort"]?.int == port)
                let first = try await world.ask()
                #expect(first.status == 200, "\(first)")
                let words = try await Self.portForward(world)
                #expect(
                    words.contains("--namespace \(GatewayInstallation.home) port-forward pod/assay-gateway-"),
                    "\(words)")
                #expect(words.hasSuffix(" 9999:\(port)\n"), "\(words)")

                try await Self.waitForSleep(world)
                let asleep = try await world.client.get(.mlModels, world.key("wine"))
                #expect(asleep.isTrue("Ready") && asleep["status", "url"] == serving["status", "url"])
                #expect(try await world.ask().status == 200, "whoever asks is held, and answered")
                try await world.wait("awake", seconds: 30) { $0.phase == "Serving" && !$0.isTrue("Hibernated") }
                try await Self.fallAsleepUnderRequests(world)
                try await Self.leave(world)
            }
        }

        // MARK: Canary

        /// A revision of the toy model that answers its probe, and all else with a status.
        private static func model(revision: Int, status: Int) -> String {
            let server =
                "import http.server as h; H = type('H', (h.BaseHTTPRequestHandler,), {'do_GET': lambda s: "
                + "(s.send_response(200 if s.path == '/' else \(status)), s.send_header('Content-Length', '1'), "
                + "s.end_headers(), s.wfile.write(b'\(revision)')), 'log_message': lambda s, *a: None}); "
                + "h.ThreadingHTTPServer(('', 8080), H).serve_forever()"
            let rollout =
                "    rollout: {steps: [{weight: 30, pause: 2s}, {weight: 60, pause: 1s}], "
                + "analysis: {maxErrorRate: 0.1, minRequests: 20}}\n"
            return ToyModel().yaml.replacing("    replicas: 1\n", with: "    replicas: 1\n\(rollout)")
                .replacing(#"["serve"]"#, with: "[python3, -c, \"\(server)\"]")
        }

        /// Asks until the model is as it should be. Returns how many answers were of each revision and status.
        private static func ask(
            _ world: StoryWorld, until isReached: (JSONValue) -> Bool
        ) async throws -> [String: Int] {
            var answers: [String: Int] = [:]
            for _ in 0..<3000 {
                let answer = try await world.ask(path: "/predict")
                answers["\(answer.body) \(answer.status)", default: 0] += 1
                let model = try await world.client.get(.mlModels, world.key("wine"))
                if isReached(model) { return answers }
            }
            Issue.record("it was asked too often: \(answers)")
            return answers
        }

        @Test(arguments: Backend.all)
        func aGoodCanaryGetsAllRequestsInTheEndAndABadOneIsTakenBack(_ backend: Backend) async throws {
            try await GatewayInstallation.run(on: backend) { world, kubectl in
                try await world.apply(yaml: Self.model(revision: 1, status: 200))
                let first = try await world.wait("serving", seconds: 120) {
                    $0.phase == "Serving" && $0.isTrue("Ready")
                }
                _ = try await Self.ask(world) { _ in true }
                try await world.apply(yaml: Self.model(revision: 2, status: 200))
                let good = try await Self.ask(world) {
                    $0["status", "revision"] != first["status", "revision"] && $0.phase == "Serving"
                }
                #expect((good["1 200"] ?? 0) > 0 && (good["2 200"] ?? 0) >= 40 && good.count == 2, "\(good)")
                let second = try await world.client.get(.mlModels, world.key("wine"))["status", "revision"]

                try await world.apply(yaml: Self.model(revision: 3, status: 500))
                let bad = try await Self.ask(world) {
                    let conditions = $0["status", "conditions"]?.array ?? []
                    return conditions.contains { $0["type"] == "RolledOut" && $0["reason"] == "AnalysisFailed" }
                }
                #expect((bad["3 500"] ?? 0) >= 3 && (bad["2 200"] ?? 0) > (bad["3 500"] ?? 0), "\(bad)")
                let after = try await world.client.get(.mlModels, world.key("wine"))
                #expect(after["status", "revision"] == second && after.isTrue("Ready"))
                try await world.eventually("nobody reaches it any more") {
                    for _ in 0..<20 where try await world.ask(path: "/predict").body != "2" { return false }
                    return true
                }
            }
        }

        // MARK: Sleep

        /// Requests come at moments at which it is about to sleep, sleeps, or is waking. None is lost.
        private static func fallAsleepUnderRequests(_ world: StoryWorld) async throws {
            var generator = SystemRandomNumberGenerator()
            var sleeps = 0
            for _ in 0..<8 {
                // Around the five seconds after which it may sleep, and the second that this takes.
                try await Task.sleep(for: .milliseconds(Int.random(in: 4500...8500, using: &generator)))
                if try await replicas(world) == 0 { sleeps += 1 }
                let answer = try await world.ask()
                #expect(answer.status == 200, "\(answer)")
            }
            #expect(sleeps > 0, "it has slept at least once")
        }

        /// A Service that leads straight to the pods again.
        private static func leave(_ world: StoryWorld) async throws {
            // Not applied: Kubernetes 1.20 leaves a null where an applied field that holds others is left out.
            _ = try await world.client.mergePatch(
                .mlModels, world.key("wine"), ["spec": ["serving": ["autoscaling": .null, "gateway": false]]],
                fieldManager: "story")
            try await world.eventually("the Service selects pods") {
                let service = try await world.client.get(.services, world.key("wine"))
                return service["spec", "selector"] != nil
            }
            try await world.wait("ready", seconds: 60) { $0.isTrue("Ready") && $0.phase == "Serving" }
            #expect(try await world.ask().status == 200)
        }
    }
}
