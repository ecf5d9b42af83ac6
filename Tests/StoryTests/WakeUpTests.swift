import AssayCore
import Concurrency
import ControllerRuntime
import CurlTransport
import FoundationEssentials
import Glibc
import JSON
import KubernetesClient
import KubernetesModel
import TestCluster
import Testing

extension Stories {
    /// Models that sleep and are woken, with the programs as they are installed, while things are killed.
    @Suite struct WakeUpTests {
        @Test(.timeLimit(.minutes(10)), arguments: Backend.all)
        func whateverEndsWhileModelsWakeNoRequestIsLost(_ backend: Backend) async throws {
            try await GatewayInstallation.run(on: backend) { world, _ in
                let given = ProcessInfo.processInfo.environment["ASSAY_SEED"].flatMap { UInt64($0) }
                let seed = given ?? .random(in: 0..<1_000_000)
                print("wake-ups: ASSAY_SEED=\(seed) on \(backend.testDescription)")
                let configuration = try world.cluster.configuration(user: "kube-proxy", groups: ["system:masters"])
                let transport = try CurlTransport(configuration.transport)
                defer { transport.shutdown() }
                let client = KubernetesClient(transport: transport)
                let servesSlices = try await client.serves(.endpointSlices)
                func target(_ name: String, isIdempotent: Bool) -> WakeUpTraffic.Target {
                    let route = ServiceRoute(
                        to: name, in: world.namespace, client: client, servesSlices: servesSlices)
                    return WakeUpTraffic.Target(name: name, isIdempotent: isIdempotent, route: route)
                }
                let targets = [target("wine", isIdempotent: false), target("tea", isIdempotent: true)]
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for target in targets { group.addTask { await target.route.run() } }
                    var story = WakeUpStory(world: world, targets: targets, random: SeededGenerator(seed: seed))
                    try await story.run()
                    group.cancelAll()
                }
            }
        }
    }
}

/// What happens while models are woken, and in which order.
private struct WakeUpStory {
    enum Fault: String, CaseIterable {
        case podKilled = "a pod was killed"
        case gatewayStopped = "a gateway was stopped"
        case operatorKilled = "the operator was killed"
        case serverAway = "the API server was away"
        case newRevision = "there was a new revision"
    }

    let world: StoryWorld
    let targets: [WakeUpTraffic.Target]
    let traffic = WakeUpTraffic()
    var random: SeededGenerator
    var wakeUps = 0

    private static let home = GatewayInstallation.home

    init(world: StoryWorld, targets: [WakeUpTraffic.Target], random: SeededGenerator) {
        (self.world, self.targets, self.random) = (world, targets, random)
    }

    /// A server that answers with the model's and the revision's name, after so many milliseconds as it is asked for.
    private static func model(_ target: WakeUpTraffic.Target, revision: Int) -> String {
        let server =
            "import http.server as h, time; a = lambda s: (s.rfile.read(int(s.headers.get('Content-Length') or 0)), "
            + "time.sleep(int(s.path[1:] or 0) / 1000), s.send_response(200), s.send_header('Content-Length', '\(target.name.utf8.count + 2)'), "
            + "s.end_headers(), s.wfile.write(b'\(target.name) \(revision)')); "
            + "H = type('H', (h.BaseHTTPRequestHandler,), {'protocol_version': 'HTTP/1.1', 'do_GET': a, 'do_POST': a, "
            + "'log_message': lambda s, *a: None}); h.ThreadingHTTPServer(('', 8080), H).serve_forever()"
        let retry = target.isIdempotent ? "    retry: Idempotent\n" : ""
        return ToyModel(name: target.name).yaml
            .replacing(
                "    replicas: 1\n",
                with: "    autoscaling: {minReplicas: 0, maxReplicas: 2, idleAfter: 5s}\n" + retry
            )
            .replacing(#"["serve"]"#, with: "[python3, -c, \"\(server)\"]")
    }

    mutating func run() async throws {
        for target in targets { try await world.apply(yaml: Self.model(target, revision: 1)) }
        for target in targets {
            try await world.wait("serving", named: target.name, seconds: 120) {
                $0.phase == "Serving" && $0.isTrue("Ready")
            }
            try await world.eventually("the Service of \(target.name) leads to the gateway") {
                target.route.next(&random) != nil
            }
        }
        var rounds: [[Fault]] = Fault.allCases.map { [$0] }.shuffled(using: &random)
        rounds.append(Array(Fault.allCases.dropLast().shuffled(using: &random).prefix(2)))
        for (number, faults) in rounds.enumerated() {
            try await sleep(isHurried: number.isMultiple(of: 2))
            try await wake(faults, outage: rounds[number] == [.serverAway] ? .seconds(30) : .seconds(5))
            wakeUps += targets.count
            let happened = faults.map(\.rawValue).joined(separator: ", ")
            print("wake-ups: \(wakeUps), while \(happened); until now \(traffic.counts)")
        }
        let counts = traffic.counts
        #expect(counts.lost == [], "\(counts)")
        #expect(wakeUps >= 10 && counts.served > 200, "\(counts)")
    }

    /// Returns when all models sleep. Where nobody is in a hurry, a request comes just when they might.
    private mutating func sleep(isHurried: Bool) async throws {
        if !isHurried {
            try await Task.sleep(for: .milliseconds(Int.random(in: 4500...7500, using: &random)))
            for target in targets { _ = try await traffic.connect(target, requests: 1, &random) }
        }
        for target in targets {
            // An operator that came back late tells of the last sleep for a while, so what counts is that nothing runs.
            for attempt in 1... {
                let model = try await world.model(target.name)
                if model.isTrue("Hibernated"), try await pods(target) == 0 { break }
                if attempt == 1200 {
                    Issue.record("\(target.name) does not sleep: \(await world.aftermath())")
                    throw StoryFailure()
                }
                try await Task.sleep(for: .milliseconds(100))
            }
        }
        try await Task.sleep(for: .milliseconds(Int.random(in: 0...1000, using: &random)))
    }

    /// How many it has, and is to have.
    private func pods(_ target: WakeUpTraffic.Target) async throws -> Int {
        let serving = ListOptions(labelSelector: "\(Label.model)=\(target.name),\(Label.revision)")
        let pods = try await world.client.listAll(.pods, namespace: world.namespace, serving).items
        let deployments = try await world.client.listAll(.deployments, namespace: world.namespace, serving).items
        return deployments.reduce(pods.count) { $0 + ($1["spec", "replicas"]?.int ?? 0) }
    }

    private func generator(_ random: inout SeededGenerator) -> SeededGenerator { SeededGenerator(seed: random.next()) }

    /// Users ask while something happens; then the world is as it was, and every model answers.
    private mutating func wake(_ faults: [Fault], outage: Duration) async throws {
        let traffic = traffic
        if faults.contains(.newRevision) { traffic.allow([1, 2]) }
        let isOver = Locked(false)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for target in targets {
                for _ in 0..<3 {
                    let random = generator(&random)
                    group.addTask { try await traffic.ask(target, until: isOver, random) }
                }
            }
            let acts = faults.map { ($0, Int.random(in: 0...3000, using: &random), generator(&random)) }
            let story = self
            // Users go on until everything has happened: who is not asked does not wake, and cannot be killed.
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await Task.sleep(for: .seconds(6)) }
                for (fault, delay, random) in acts {
                    group.addTask {
                        try await Task.sleep(for: .milliseconds(delay))
                        try await story.happen(fault, outage, random)
                    }
                }
                try await group.waitForAll()
            }
            isOver.withLock { $0 = true }
            try await group.waitForAll()
        }
        for target in targets { try await traffic.askUntilServed(target, generator(&random)) }
        try await settle()
        if faults.contains(.newRevision) { traffic.allow([2]) }
    }

    // MARK: What happens

    private func happen(_ fault: Fault, _ outage: Duration, _ generator: SeededGenerator) async throws {
        var random = generator
        switch fault {
        case .podKilled:
            let target = targets.randomElement(using: &random)?.name ?? ""
            let selector = "\(Label.model)=\(target),\(Label.revision)"
            try await kill("python3", selector, world.namespace, &random)
        case .operatorKilled: try await kill("assay", "app.kubernetes.io/name=assay", Self.home, &random)
        case .gatewayStopped:
            let gateways = try await world.client.listAll(
                .pods, namespace: Self.home, ListOptions(labelSelector: "app.kubernetes.io/name=assay-gateway"))
            let name = gateways.items.randomElement(using: &random)?["metadata", "name"]?.string ?? ""
            try await world.client.delete(.pods, ObjectKey(namespace: Self.home, name: name))
        case .serverAway:
            try await world.cluster.withServerAway { try await Task.sleep(for: outage) }
        case .newRevision:
            for target in targets { try await world.apply(yaml: Self.model(target, revision: 2)) }
        }
    }

    /// Kills the program of one of the pods, with a signal that it does not hear; where none runs yet, the first that does.
    private func kill(
        _ program: String, _ selector: String, _ namespace: String, _ random: inout SeededGenerator
    ) async throws {
        var generator = random
        try await world.eventually("\(program) runs in a pod with \(selector)") {
            let pods = try await world.client.listAll(.pods, namespace: namespace, ListOptions(labelSelector: selector))
            let names = pods.items.compactMap { $0["metadata", "name"]?.string }
            let processes = MachineProcess.all().filter { process in
                process.arguments.first?.split(separator: "/").last.map(String.init) == program
                    && process.environment.contains { entry in names.contains { entry == "HOSTNAME=\($0)" } }
            }
            guard let process = processes.randomElement(using: &generator) else { return false }
            return Glibc.kill(process.id, SIGKILL) == 0
        }
    }

    /// Returns when everything runs that is to run.
    private func settle() async throws {
        for (name, count) in [("assay-operator", 1), ("assay-gateway", 2)] {
            try await world.eventually("\(count) of \(name) are ready, and none is about to stop") {
                let pods = try await world.client.listAll(.pods, namespace: Self.home).items
                    .filter { $0["metadata", "name"]?.string?.hasPrefix("\(name)-") == true }
                let ready = pods.filter { pod in
                    pod["metadata", "deletionTimestamp"] == nil
                        && (pod["status", "conditions"]?.array ?? []).contains {
                            $0["type"] == "Ready" && $0["status"] == "True"
                        }
                }
                return ready.count == count && pods.count == count
            }
        }
    }
}
