import JSON
import KubernetesModel
import Testing

@testable import AssayCore

/// What pushes come to in pods and in the status.
@Suite struct PushPlanTests {
    private static let channel = PushChannel(base: "https://assay-push.assay-system.svc")

    private func world(_ change: (inout JSONValue) -> Void = { _ in }) throws -> World {
        var world = World()
        world.push = Self.channel
        try world.create(.trainingJobs, try Sample.trainingJob(change))
        try world.settle()
        return world
    }

    private func progress(_ world: World) -> JSONValue? { world.get(.trainingJobs, "wine")?["status", "progress"] }

    private func pushed(_ percentage: Int, attempt: Int = 1) -> PushedProgress {
        var progress = PushedProgress(attempt: attempt, now: Timestamp(seconds: 1_800_000_000))
        progress.take(
            PushBody(
                percentage: percentage, remainingSeconds: 60,
                metrics: [Metric(name: "loss", split: .train, value: .finite(0.5))]),
            now: Timestamp(seconds: 1_800_000_000))
        return progress
    }

    @Test func eachContainerIsToldHowToPush() throws {
        let world = try world {
            $0["spec", "template", "spec", "initContainers"] = [["name": "before", "image": "x"]]
        }
        let pod = try #require(world.all(.jobs).first?["spec", "template", "spec"])
        for container in (pod["initContainers"]?.array ?? []) + (pod["containers"]?.array ?? []) {
            let variables = container["env"]?.array ?? []
            #expect(
                variables.contains([
                    "name": "ASSAY_PUSH_URL",
                    "value": "https://assay-push.assay-system.svc/v1/namespaces/ml/trainingjobs/wine/metrics",
                ]), "\(variables)")
            #expect(variables.contains(["name": "ASSAY_PUSH_TOKEN_FILE", "value": "/assay/push/token"]))
            #expect(variables.contains(["name": "ASSAY_PUSH_CA_FILE", "value": "/assay/push/ca.crt"]))
            #expect(
                container["volumeMounts"]?.array?.contains {
                    $0["mountPath"] == "/assay/push" && $0["readOnly"] == true
                } == true)
        }
        let sources = pod["volumes"]?.array?.first { $0["name"] == "assay-push" }?["projected", "sources"]?.array ?? []
        #expect(sources.count == 2)
        #expect(sources.first?["serviceAccountToken", "audience"]?.string == PushChannel.audience)
        #expect(sources.last?["configMap", "optional"] == true, "a pod would wait for what it can do without")
        #expect(pod["automountServiceAccountToken"] == false)
        let template = try #require(world.all(.jobs).first?["spec", "template"])
        #expect(PodCheck.problems(in: template, at: "t", policy: PodPolicy(operatorLevel: .baseline)) == [])
    }

    @Test func withoutAServerNothingIsAdded() throws {
        var world = World()
        try world.create(.trainingJobs, try Sample.trainingJob { _ in })
        try world.settle()
        #expect(world.all(.jobs).first?["spec", "template"]?.serialized().contains("PUSH") == false)
    }

    @Test func whatIsThereAlreadyIsNotChanged() throws {
        let world = try world {
            $0["spec", "template", "spec", "volumes"] = [["name": "assay-push", "emptyDir": [:]]]
        }
        let pod = try #require(world.all(.jobs).first?["spec", "template", "spec"])
        #expect(pod["volumes"] == [["name": "assay-push", "emptyDir": [:]]])
        #expect(!pod.serialized().contains("ASSAY_PUSH_URL"))
    }

    /// Ours are not told, and of what makes a step's result it is no part.
    @Test func aStepIsToldAndItsKeyIsTheSame() throws {
        let object = try Sample.workflow { _ in }
        let job = try TrainingJob(json: object)
        let spec = try #require(job.spec.value)
        let step = try #require(spec.steps.first { $0.name == "train" })
        let inputs = step.inputs.map { SealedArtifact(name: $0, digest: World.digest, size: 1) }
        let pod = job.renderedJob(
            name: "wine-1", spec: spec, step: step, inputs: inputs, key: "step-0", image: "assay:1",
            push: Self.channel)["spec", "template", "spec"]
        let all = (pod?["initContainers"]?.array ?? []) + (pod?["containers"]?.array ?? [])
        #expect(all.map { $0["name"] } == ["assay-fetch", "main", "assay-seal"])
        let told = all.map { $0["env"]?.serialized().contains("ASSAY_PUSH_URL") == true }
        #expect(told == [false, true, false])

        func keys(_ push: PushChannel?) throws -> [String?] {
            var world = World()
            world.push = push
            try world.create(.trainingJobs, object)
            try world.settle()
            let job = try #require(try world.trainingJob("wine"))
            return (job.status.value?.steps ?? []).map(\.recipe)
        }
        #expect(try keys(Self.channel) == keys(nil))
    }

    // MARK: The status

    @Test func whatIsPushedStandsInTheStatusAndInNoVerdict() throws {
        var world = try world()
        world.pushes = [pushed(40)]
        try world.settle()
        #expect(progress(world)?["percentage"] == 40 && progress(world)?["estimatedRemainingSeconds"] == 60)
        #expect(progress(world)?["metrics"] == [["name": "loss", "split": "train", "value": "0.5"]])
        #expect(world.get(.trainingJobs, "wine")?["status", "metrics"] == nil)
        let before = world.statusWrites
        try world.settle()
        #expect(world.statusWrites == before, "a world in which nothing happened needs no plan")
        world.succeedJob(#"{"accuracy": 0.97}"#)
        try world.settle()
        let status = world.get(.trainingJobs, "wine")?["status"]
        #expect(status?["metrics"]?.array?.map { $0["name"] } == ["accuracy"])
        #expect(status?["progress", "percentage"] == 40 && status?["progress", "estimatedRemainingSeconds"] == nil)
        world.pushes = []
        try world.settle()
        #expect(progress(world)?["percentage"] == 40, "the last word stays when the memory is gone")
    }

    @Test func theWriteMayWait() throws {
        var world = try world()
        world.pushes = [pushed(40)]
        let write = try #require(try world.plan(trainingJob: "wine").status)
        #expect(write.isProgressAlone)
        world.pushes = []
        world.succeedJob(#"{"accuracy": 0.97}"#)
        #expect(try world.plan(trainingJob: "wine").status?.isProgressAlone != true)
    }

    struct Telling: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var steps: [StepStatus]
        var told: PushedProgress?
        var pushes: [PushedProgress]
        var expected: (step: String?, percentage: Int?)?
    }

    private static func step(_ name: String, _ outcomes: Attempt.Outcome...) -> StepStatus {
        var step = StepStatus(name: name)
        step.attempts = outcomes.enumerated().map { Attempt(number: $0 + 1, job: "j", outcome: $1) }
        return step
    }

    private static func push(_ step: String, _ attempt: Int, _ percentage: Int) -> PushedProgress {
        var progress = PushedProgress(step: step, attempt: attempt, now: Timestamp(seconds: 0))
        progress.percentage = percentage
        return progress
    }

    static let tellings: [Telling] = [
        .init(testDescription: "nothing", steps: [], told: nil, pushes: [], expected: nil),
        .init(
            testDescription: "one runs", steps: [step("a", .running)], told: nil, pushes: [push("a", 1, 5)],
            expected: ("a", 5)),
        .init(
            testDescription: "the first of two that run", steps: [step("a", .running), step("b", .running)],
            told: push("b", 1, 50), pushes: [push("b", 1, 60), push("a", 1, 5)], expected: ("a", 5)),
        .init(
            testDescription: "a replica that has heard nothing", steps: [step("a", .running)], told: push("a", 1, 50),
            pushes: [], expected: ("a", 50)),
        .init(
            testDescription: "the next attempt has not pushed", steps: [step("a", .failed, .running)],
            told: push("a", 1, 50), pushes: [], expected: ("a", nil)),
        .init(
            testDescription: "the next attempt has pushed", steps: [step("a", .failed, .running)],
            told: push("a", 1, 50), pushes: [push("a", 1, 55), push("a", 2, 3)], expected: ("a", 3)),
        .init(
            testDescription: "later words of one that has ended", steps: [step("a", .succeeded), step("b", .running)],
            told: push("a", 1, 50), pushes: [push("a", 1, 100)], expected: ("a", nil)),
    ]

    @Test(arguments: tellings) func theFirstThatRunsIsTold(_ telling: Telling) {
        var status = TrainingJobStatus()
        status.phase = .running
        status.steps = telling.steps
        status.progress = telling.told
        let told = status.latestProgress(telling.pushes)
        #expect(told?.step == telling.expected?.step && told?.percentage == telling.expected?.percentage)
        #expect((told == nil) == (telling.expected == nil))
        status.progress = told
        #expect(status.latestProgress(telling.pushes) == told, "told again it is the same")
    }

    // MARK: The authorities

    @Test func theConfigMapIsMadeKeptAndLeftAloneWhereItIsNotOurs() {
        guard case .create(let made) = AuthoritiesPlan(nil, namespace: "ml", bundle: "A") else {
            Issue.record("it is not made")
            return
        }
        #expect(made["metadata", "namespace"] == "ml" && made["data", "ca.crt"] == "A")
        #expect(AuthoritiesPlan(made, namespace: "ml", bundle: "A") == .leave)
        var found = made
        found["metadata", "uid"] = "u"
        found["metadata", "resourceVersion"] = "7"
        guard case .patch(let patch) = AuthoritiesPlan(found, namespace: "ml", bundle: "B") else {
            Issue.record("it is not changed")
            return
        }
        #expect(patch["metadata"] == ["uid": "u", "resourceVersion": "7"] && patch["data"] == ["ca.crt": "B"])
        found["metadata", "labels"] = nil
        #expect(AuthoritiesPlan(found, namespace: "ml", bundle: "B") == .foreign)
    }

    // MARK: Certificates

    /// Years of certificates, looked at once an hour or so: who serves is always trusted by whoever has read the bundle in
    /// the last day, and nothing that is over serves.
    @Test(arguments: [1, 13, 24 * 3]) func whoServesIsTrustedByWhoeverHasReadTheBundleLately(_ hours: Int) throws {
        let names = ["assay-push.assay-system.svc"]
        var certificates = PushCertificates()
        var signer = ""
        var bundles: [(Timestamp, String)] = []
        var count = 0
        var promotions = 0
        func make(_ name: String, _ life: Duration, _ now: Timestamp) -> PushCertificate {
            count += 1
            return PushCertificate(
                certificate: "<\(name)-\(count)>", key: "k", notBefore: now, notAfter: now + life)
        }
        for hour in stride(from: 0, to: 6 * 365 * 24, by: hours) {
            let now = Timestamp(seconds: 1_800_000_000 + Int64(hour) * 3600)
            let steps = certificates.plan(names: names, now: now)
            for step in steps {
                switch step {
                case .makeAuthority:
                    #expect(hour == 0, "nobody trusts one that signs at once")
                    certificates = PushCertificates()
                    certificates.authority = make("ca", PushCertificates.authorityLife, now)
                case .publishNext:
                    certificates.next = make("ca", PushCertificates.authorityLife, now)
                    certificates.nextSince = now
                case .promoteNext:
                    promotions += 1
                    certificates.previous = certificates.authority
                    certificates.authority = certificates.next
                    certificates.next = nil
                    certificates.nextSince = nil
                case .issueServing:
                    let authority = try #require(certificates.authority)
                    certificates.serving = make("tls", PushCertificates.servingLife(of: authority, now: now), now)
                    certificates.names = names
                    signer = authority.certificate
                case .dropPrevious: certificates.previous = nil
                }
            }
            #expect(certificates.plan(names: names, now: now) == [], "what was done is not to be done again")
            #expect(!(certificates.serving?.isOver(now) ?? true))
            bundles.append((now, certificates.bundle))
            for (at, bundle) in bundles where hour > 24 && at >= now + .seconds(-82_800) {
                #expect(bundle.contains(signer), "a pod that read the bundle at \(at)")
            }
            bundles.removeAll { $0.0 < now + .seconds(-90_000) }
        }
        #expect(promotions >= 3)
    }

    @Test func whatIsBrokenIsMadeAnew() {
        let now = Timestamp(seconds: 1_800_000_000)
        func certificate(_ key: String?, _ days: Int64) -> PushCertificate {
            PushCertificate(
                certificate: "c", key: key, notBefore: now + .seconds(-86_400), notAfter: now + .seconds(days * 86_400))
        }
        var certificates = PushCertificates()
        #expect(certificates.plan(names: ["a"], now: now) == [.makeAuthority, .issueServing])
        certificates.authority = certificate("k", 700)
        #expect(certificates.plan(names: ["a"], now: now) == [.issueServing])
        certificates.serving = certificate("k", 20)
        certificates.names = ["a"]
        #expect(certificates.plan(names: ["a"], now: now) == [])
        #expect(certificates.plan(names: ["a", "b"], now: now) == [.issueServing])
        certificates.authority?.key = nil
        #expect(certificates.plan(names: ["a"], now: now) == [.makeAuthority, .issueServing])
        certificates.authority = certificate("k", -1)
        #expect(certificates.plan(names: ["a"], now: now) == [.makeAuthority, .issueServing])
        certificates.authority = certificate("k", 700)
        certificates.previous = certificate(nil, -1)
        #expect(certificates.plan(names: ["a"], now: now) == [.dropPrevious])
    }
}
