import JSON
import KubernetesModel
import Testing

@testable import LocalCluster

/// Plays a pod's life against the planner: what would be carried out is noted and its outcome told to the state.
private struct Play {
    var pod: NodePod
    var state: PodState
    var now: Duration = .seconds(1000)
    let backoff = RestartBackoff()

    init(_ spec: JSONValue, metadata: JSONValue = [:], status: JSONValue? = nil) throws {
        var json = Pods.json(spec, metadata: metadata)
        json["status"] = status
        pod = try NodePod(json: json)
        state = PodState(pod, wall: Timestamp(seconds: 1000), now: .seconds(1000), backoff: RestartBackoff())
        state.address = "10.0.0.2"
    }

    var wall: Timestamp { Timestamp(sinceEpoch: now) }
    var plan: PodPlan { PodPlan(pod, state, now: now, wall: wall) }
    var actions: [PodPlan.Action] { plan.actions }
    var status: JSONValue { PodStatus(pod: pod, state: state, hostIP: "10.0.0.1").json(now: wall) }
    var phase: String { PodOutcome(pod, state).phase }

    func container(_ name: String) -> NodeContainer? { pod.allContainers.first { $0.name == name } }

    mutating func start(_ name: String) {
        state[name].noteStarted(containerID: "id-\(name)", imageID: "app@sha256:0", at: wall, now: now)
        for (kind, probe) in container(name)?.probes ?? [:] {
            state[name].probes[kind] = ProbeHistory(firstAt: now + probe.initialDelay)
        }
    }

    mutating func end(_ name: String, _ code: Int) {
        let restarts = container(name)?.restarts(after: code, pod.restartPolicy) ?? false
        let end = Termination(
            exitCode: code, reason: code == 0 ? "Completed" : "Error", finishedAt: wall, containerID: "id-\(name)")
        state[name].noteEnded(end, willRestart: restarts, now: now, backoff: backoff)
    }

    mutating func delete(grace: Int) throws {
        var json = pod.json
        json["metadata", "deletionTimestamp"] = .string(wall.description)
        json["metadata", "deletionGracePeriodSeconds"] = JSONValue(grace)
        pod = try NodePod(json: json)
    }

    func containerState(_ name: String = "main") -> JSONValue {
        status["containerStatuses"]?.array?.first { $0["name"]?.string == name }?["state"] ?? [:]
    }

    func condition(_ type: String) -> JSONValue? {
        status["conditions"]?.array?.first { $0["type"]?.string == type }
    }
}

@Suite struct NodePlanTests {
    @Test func aPodIsPreparedBeforeItsContainersStart() throws {
        var play = try Play(["containers": [Pods.container()]])
        play.state.address = nil
        #expect(play.actions == [.prepare])
        #expect(play.containerState()["waiting", "reason"] == "ContainerCreating")
        play.state.nextPreparation = play.now + .seconds(5)
        #expect(play.actions == [])
        #expect(play.plan.wakeAt == play.now + .seconds(5))
        play.state.address = "10.0.0.2"
        #expect(play.actions == [.start("main")])
        play.start("main")
        #expect(play.actions == [])
        #expect(play.phase == "Running")
        #expect(play.condition("Ready")?["status"] == "True")
        #expect(play.status["podIP"] == "10.0.0.2")
    }

    @Test func tokensAreRenewedAsLongAsThePodRuns() throws {
        #expect(VolumePlan.Token.renewal(lifetime: 600) == .seconds(480))
        #expect(VolumePlan.Token.renewal(lifetime: 1_000_000) == .seconds(86_400))
        var play = try Play(["restartPolicy": "Never", "containers": [Pods.container()]])
        play.state.nextTokenRenewal = play.now + .seconds(480)
        play.start("main")
        #expect(play.actions == [])
        #expect(play.plan.wakeAt == play.now + .seconds(480))
        play.now += .seconds(480)
        #expect(play.actions == [.renewTokens])
        play.state.nextTokenRenewal = play.now + .seconds(480)
        #expect(play.actions == [])
        play.now += .seconds(500)
        play.end("main", 0)
        #expect(play.actions == [.cleanUp], "nobody reads it any more")
    }

    @Test func copiesOfObjectsAreLookedAtAgainAsLongAsThePodRuns() throws {
        var play = try Play(["restartPolicy": "Never", "containers": [Pods.container()]])
        play.state.nextRefresh = play.now + .seconds(15)
        play.start("main")
        #expect(play.actions == [] && play.plan.wakeAt == play.now + .seconds(15))
        play.now += .seconds(15)
        #expect(play.actions == [.refreshVolumes])
        play.end("main", 0)
        #expect(play.actions == [.cleanUp], "nobody reads them any more")
    }

    @Test func initContainersRunOneAfterAnother() throws {
        var play = try Play([
            "initContainers": [Pods.container("a"), Pods.container("b")], "containers": [Pods.container()],
        ])
        #expect(play.actions == [.start("a")])
        play.start("a")
        #expect(play.actions == [])
        #expect(play.phase == "Pending")
        #expect(play.containerState()["waiting", "reason"] == "PodInitializing")
        #expect(play.condition("Initialized")?["message"] == "containers with incomplete status: [a b]")
        play.end("a", 0)
        #expect(play.actions == [.start("b")])
        play.start("b")
        play.end("b", 0)
        #expect(play.actions == [.start("main")])
        #expect(play.condition("Initialized")?["status"] == "True")
    }

    @Test func aFailedInitContainerFailsAPodThatNeverRestarts() throws {
        var play = try Play([
            "restartPolicy": "Never", "initContainers": [Pods.container("a")], "containers": [Pods.container()],
        ])
        play.start("a")
        play.end("a", 3)
        #expect(play.phase == "Failed")
        #expect(play.actions == [.cleanUp])
    }

    @Test func aSidecarStartsFirstAndStopsLast() throws {
        var play = try Play([
            "restartPolicy": "Never",
            "initContainers": [
                Pods.container("side", ["restartPolicy": "Always", "startupProbe": ["tcpSocket": ["port": 80]]])
            ], "containers": [Pods.container()],
        ])
        #expect(play.actions == [.start("side")])
        play.start("side")
        #expect(play.actions == [.probe("side", .startup)])
        play.state["side"].probes[.startup]?.nextAt = nil
        #expect(play.actions == [])
        if let probe = play.container("side")?.probes[.startup] {
            play.state["side"].probes[.startup]?.note(.success, of: probe)
        }
        #expect(play.actions == [.start("main")])
        play.start("main")
        play.end("main", 0)
        #expect(play.phase == "Succeeded")
        #expect(play.actions == [.stop("side", grace: .seconds(30), why: "Stopping container")])
    }

    @Test(arguments: [
        ("Always", 0, true), ("Always", 1, true), ("OnFailure", 0, false), ("OnFailure", 1, true), ("Never", 0, false),
        ("Never", 1, false),
    ])
    func theRestartPolicyDecides(_ policy: String, _ code: Int, _ restarts: Bool) throws {
        var play = try Play(["restartPolicy": .string(policy), "containers": [Pods.container()]])
        play.start("main")
        play.end("main", code)
        #expect(play.actions == [restarts ? .start("main") : .cleanUp])
        #expect(play.phase == (restarts ? "Running" : code == 0 ? "Succeeded" : "Failed"))
    }

    @Test func restartsWaitLongerEachTimeUpToFiveMinutes() throws {
        var play = try Play(["containers": [Pods.container()]])
        play.start("main")
        for wait in [0, 10, 20, 40, 80, 160, 300, 300] as [Int64] {
            play.end("main", 1)
            if wait > 0 {
                #expect(play.actions == [])
                #expect(play.plan.wakeAt == play.now + .seconds(wait))
                #expect(play.containerState()["waiting", "reason"] == "CrashLoopBackOff")
                play.now += .seconds(wait)
            }
            #expect(play.actions == [.start("main")])
            play.start("main")
        }
        #expect(play.status["containerStatuses"]?[0]?["restartCount"] == 8)
        // A long run makes the next end the first.
        play.now += .seconds(700)
        play.end("main", 1)
        #expect(play.actions == [.start("main")])
    }

    @Test func deletionAsksThenKillsThenConfirms() throws {
        var play = try Play(["containers": [Pods.container()]])
        play.start("main")
        try play.delete(grace: 7)
        #expect(play.actions == [.stop("main", grace: .seconds(7), why: "Stopping container")])
        play.state["main"].stopping = .init(deadline: play.now + .seconds(7))
        #expect(play.actions == [])
        #expect(play.plan.wakeAt == play.now + .seconds(7))
        play.now += .seconds(7)
        #expect(play.actions == [.kill("main")])
        play.state["main"].stopping?.isKilled = true
        #expect(play.actions == [])
        play.end("main", 137)
        #expect(play.actions == [.cleanUp, .confirmDeletion])
        #expect(play.phase == "Failed")
    }

    @Test func aPodThatIsGoneIsKilledAtOnce() throws {
        var play = try Play(["containers": [Pods.container()]])
        play.start("main")
        play.state.isRemoved = true
        #expect(play.actions == [.stop("main", grace: .zero, why: "Stopping container")])
        play.state["main"].stopping = .init(deadline: play.now)
        #expect(play.actions == [.kill("main")])
        play.end("main", 137)
        #expect(play.actions == [.cleanUp])
    }

    @Test func thePodsDeadlineFailsIt() throws {
        var play = try Play(["activeDeadlineSeconds": 60, "containers": [Pods.container()]])
        play.start("main")
        #expect(play.plan.wakeAt == play.now + .seconds(60))
        play.now += .seconds(60)
        guard case .fail(let failure)? = play.actions.first else {
            Issue.record("no failure in \(play.actions)")
            return
        }
        play.state.failure = failure
        guard case .stop("main", _, _)? = play.actions.first else {
            Issue.record("not stopped: \(play.actions)")
            return
        }
        play.end("main", 143)
        #expect(play.phase == "Failed")
        #expect(play.status["reason"] == "DeadlineExceeded")
        #expect(play.actions == [.cleanUp])
    }

    @Test func aFailingLivenessProbeStopsTheContainer() throws {
        let probe: JSONValue = ["httpGet": ["port": "web"], "failureThreshold": 2, "periodSeconds": 5]
        var play = try Play([
            "containers": [
                Pods.container("main", ["ports": [["name": "web", "containerPort": 8080]], "livenessProbe": probe])
            ]
        ])
        play.start("main")
        #expect(play.actions == [.probe("main", .liveness)])
        let liveness = try #require(play.container("main")?.probes[.liveness])
        #expect(liveness.check == .httpGet(host: nil, port: 8080, path: "/", headers: [:]))
        play.state["main"].probes[.liveness]?.nextAt = play.now + .seconds(5)
        play.state["main"].probes[.liveness]?.note(.failure("no"), of: liveness)
        #expect(play.actions == [])
        play.state["main"].probes[.liveness]?.note(.failure("no"), of: liveness)
        #expect(
            play.actions == [
                .stop(
                    "main", grace: .seconds(30), why: "Container main failed liveness probe, will be restarted")
            ])
    }

    @Test func readinessFollowsItsProbe() throws {
        var play = try Play([
            "containers": [Pods.container("main", ["readinessProbe": ["tcpSocket": ["port": 80]]])]
        ])
        play.start("main")
        #expect(play.condition("Ready")?["status"] == "False")
        #expect(play.condition("Ready")?["message"] == "containers with unready status: [main]")
        let probe = try #require(play.container("main")?.probes[.readiness])
        play.state["main"].probes[.readiness]?.note(.success, of: probe)
        #expect(play.condition("Ready")?["status"] == "True")
        for _ in 0..<3 { play.state["main"].probes[.readiness]?.note(.failure("no"), of: probe) }
        #expect(play.condition("Ready")?["status"] == "False")
    }

    @Test func containersOfADeadNodeAreFoundDead() throws {
        let status: JSONValue = [
            "phase": "Running", "startTime": "2026-01-01T00:00:00Z",
            "containerStatuses": [
                [
                    "name": "main", "restartCount": 2, "containerID": "assay://old",
                    "state": ["running": ["startedAt": "2026-01-01T00:00:00Z"]],
                ]
            ],
        ]
        let kept = try Play(["containers": [Pods.container()]], status: status)
        #expect(kept.actions == [.start("main")])
        let failed = try Play(["restartPolicy": "Never", "containers": [Pods.container()]], status: status)
        #expect(failed.phase == "Failed")
        #expect(failed.containerState()["terminated", "reason"] == "ContainerStatusUnknown")
        #expect(failed.containerState()["terminated", "exitCode"] == 137)
        var again = kept
        again.start("main")
        #expect(again.status["containerStatuses"]?[0]?["restartCount"] == 3)
    }

    @Test func aPodThatHasEndedStaysAsItIs() throws {
        var play = try Play(["containers": [Pods.container()]], status: ["phase": "Succeeded"])
        #expect(play.actions == [])
        try play.delete(grace: 30)
        #expect(play.actions == [.cleanUp, .confirmDeletion])
    }

    @Test func conditionsOfOthersAreKeptAndTimesMoveOnlyWithTheStatus() throws {
        var play = try Play(
            ["containers": [Pods.container()]],
            status: ["conditions": [["type": "PodScheduled", "status": "True", "lastTransitionTime": "t0"]]])
        play.start("main")
        let first = play.status
        #expect(play.condition("PodScheduled")?["lastTransitionTime"] == "t0")
        play.now += .seconds(60)
        let later = PodStatus(pod: play.pod, state: play.state, hostIP: "10.0.0.1").json(now: play.wall, written: first)
        #expect(later == first)
    }
}
