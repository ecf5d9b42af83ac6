import APIServerModel
import AssayCore
import Concurrency
import JSON
import KubernetesModel

/// A node whose containers do what their command says: `good`, `poor`, `fail`, `nan`, `silent`, `garbled`, `slow`,
/// `stuck` as a training, `serve` or `hang` as a server, `accept` or `reject` as a test of a candidate.
final class ScriptedNode: Sendable {
    private static let digest = "registry.local/toy@sha256:" + String(repeating: "a", count: 64)

    private let server: SimulatedServer
    private let time: SimulatedTime
    private let latency: Latency
    /// On which pods that serve are found; nil where nobody sends them anything.
    private let network: PodNetwork?
    private let known = Locked<Set<String>>([])
    private let going = Locked<Set<String>>([])
    /// What each run was worth that has ended well: the truth by which the gate is judged.
    private let results = Locked<[String: Double]>([:])
    /// The revisions that a test has accepted.
    private let accepted = Locked<Set<String>>([])

    init(server: SimulatedServer, time: SimulatedTime, latency: Latency, network: PodNetwork? = nil) {
        self.network = network
        self.server = server
        self.time = time
        self.latency = latency
        server.onChange { [weak self] in self?.changed() }
    }

    func accuracy(ofRun name: String) -> Double? { results.withLock { $0[name] } }

    func isAccepted(revision name: String) -> Bool { accepted.withLock { $0.contains(name) } }

    private func changed() {
        for pod in server.objects(.pods) where pod.place.namespace != GatewayFleet.namespace {
            let uid = pod.identity
            if pod.isGoing {
                if going.withLock({ $0.insert(uid).inserted }) {
                    terminate(uid)
                    after(200...3000, pod) { $0.remove($1) }
                }
            } else if known.withLock({ $0.insert(uid).inserted }) {
                after(20...500, pod) { $0.bind($1) }
            }
        }
    }

    /// Calls `body` with the pod as it is then, unless it is gone.
    private func after(
        _ range: ClosedRange<Int>, _ pod: JSONValue, _ body: @escaping @Sendable (ScriptedNode, JSONValue) -> Void
    ) {
        let (key, uid) = (pod.place, pod.identity)
        time.alarm(after: latency.next(range)) { [weak self] in
            guard let self, let current = server.object(.pods, key), current.identity == uid else { return }
            body(self, current)
        }
    }

    private func send(
        _ method: String, _ pod: JSONValue, _ subresource: String?, _ body: JSONValue,
        _ type: String = "application/json"
    ) {
        let key = pod.place
        let path = ResourceType.pods.path(namespace: key.namespace, name: key.name, subresource: subresource)
        let request = APIRequest(
            method: method, target: path, headers: ["content-type": type], body: body.serializedBytes(), user: .admin)
        server.handle(request, by: "node")
    }

    private func terminate(_ uid: String) {
        guard let network, let serving = network.pod(uid) else { return }
        time.alarm(after: network.milliseconds(0...1000)) { network.terminate(serving) }
    }

    /// A pod that serves and is in good order goes when it has done what it began.
    private func remove(_ pod: JSONValue) {
        if let network, let serving = network.pod(pod.identity) {
            if serving.inFlight > 0 { return after(100...500, pod) { $0.remove($1) } }
            network.kill(serving)
        }
        send("DELETE", pod, nil, ["preconditions": ["uid": .string(pod.identity)], "gracePeriodSeconds": 0])
    }

    private func bind(_ pod: JSONValue) {
        if pod.isGoing { return }
        send(
            "POST", pod, "binding",
            [
                "apiVersion": "v1", "kind": "Binding",
                "metadata": ["name": .string(pod.place.name), "uid": .string(pod.identity)],
                "target": ["apiVersion": "v1", "kind": "Node", "name": "node"],
            ])
        after(100...1500, pod) { $0.start($1) }
    }

    private static func command(_ pod: JSONValue) -> String {
        pod["spec", "containers"]?[0]?["command"]?[0]?.string ?? ""
    }

    private func start(_ pod: JSONValue) {
        if pod.isGoing { return }
        let command = Self.command(pod)
        if command == "stuck" {
            let state: JSONValue = ["waiting": ["reason": "ErrImagePull", "message": "no such image"]]
            return tell(pod, phase: "Pending", ready: false, state: state, imageID: "")
        }
        let running: JSONValue = ["running": ["startedAt": .string(server.now.truncatedToSeconds.description)]]
        if let network, command == "serve", let revision = pod.label(Label.revision) {
            let serving = network.start(pod.identity, revision: revision, run: pod.run)
            time.alarm(after: network.milliseconds(50...2500)) { serving.isListening = !serving.isGone }
        }
        tell(pod, phase: "Running", ready: false, state: running)
        switch command {
        case "hang": break
        case "serve": after(100...2000, pod) { $0.becomeReady($1) }
        case "slow": after(60_000...61_000, pod) { $0.end($1) }
        default: after(1000...8000, pod) { $0.end($1) }
        }
    }

    private func becomeReady(_ pod: JSONValue) {
        if pod.isGoing { return }
        if let network, let serving = network.pod(pod.identity), !serving.isListening {
            return after(100...1000, pod) { $0.becomeReady($1) }
        }
        tell(
            pod, phase: "Running", ready: true,
            state: ["running": ["startedAt": .string(server.now.truncatedToSeconds.description)]])
    }

    /// One of the pods that serve is gone all at once.
    func killPod() {
        guard let network, let serving = network.someListening else { return }
        serving.isKilled = true
        network.kill(serving)
        guard let pod = server.objects(.pods).first(where: { $0.identity == serving.uid }) else { return }
        after(0...2000, pod) { $0.remove($1) }
    }

    /// The termination message and exit code of each command.
    private static let outcomes: [String: (message: String, exitCode: Int)] = [
        "good": ("{\"accuracy\": 0.97}", 0), "slow": ("{\"accuracy\": 0.98}", 0), "poor": ("{\"accuracy\": 0.5}", 0),
        "fail": ("out of memory", 1), "nan": ("{\"accuracy\": NaN}", 0), "silent": ("", 0),
        "garbled": ("{\"accuracy\": 0.9", 0), "better": ("{\"accuracy\": 0.99}", 0),
        "accept": ("", 0), "reject": ("the logic is wrong", 1),
    ]

    private func end(_ pod: JSONValue) {
        if pod.isGoing { return }
        let command = Self.command(pod)
        let outcome = Self.outcomes[command] ?? ("", 0)
        let accuracy = ["good": 0.97, "slow": 0.98, "poor": 0.5, "better": 0.99][command]
        if let run = pod.run, let accuracy { results.withLock { $0[run] = accuracy } }
        if let revision = pod.label(Label.proof), outcome.exitCode == 0 {
            _ = accepted.withLock { $0.insert(revision) }
        }
        let state: JSONValue = [
            "terminated": [
                "exitCode": JSONValue(outcome.exitCode), "reason": outcome.exitCode == 0 ? "Completed" : "Error",
                "message": .string(outcome.message),
                "finishedAt": .string(server.now.truncatedToSeconds.description),
            ]
        ]
        tell(pod, phase: outcome.exitCode == 0 ? "Succeeded" : "Failed", ready: false, state: state)
    }

    private func tell(
        _ pod: JSONValue, phase: String, ready: Bool, state: JSONValue, imageID: String = ScriptedNode.digest
    ) {
        let containers = (pod["spec", "containers"]?.array ?? []).map { container -> JSONValue in
            [
                "name": container["name"] ?? "", "image": container["image"] ?? "", "imageID": .string(imageID),
                "ready": .bool(ready), "restartCount": 0, "state": state,
            ]
        }
        let condition: JSONValue = [
            "type": "Ready", "status": ready ? "True" : "False",
            "lastTransitionTime": .string(server.now.truncatedToSeconds.description),
        ]
        var status: JSONValue = [
            "phase": .string(phase), "conditions": [condition], "containerStatuses": .array(containers),
        ]
        if let address = network?.pod(pod.identity)?.address { status["podIP"] = .string(address) }
        send(
            "PATCH", pod, "status",
            [
                "metadata": ["uid": .string(pod.identity)], "status": status,
            ], "application/merge-patch+json")
    }
}

extension JSONValue {
    /// What a pod, or a template, says that its run is called.
    var run: String? {
        self["spec", "containers"]?[0]?["env"]?.array?.first { $0["name"]?.string == ContainerContract.run }?["value"]?
            .string
    }
}
