import AssayCore
import Concurrency
import ControllerRuntime
import KubernetesModel
import Logging

/// What the gateway's pods have to do: the leader asks each of them once a second, and keeps the last minute.
///
/// It may be lost with the process. Who begins to look knows of no idle time, and scales nothing down before a minute is over.
final class GatewayLoads: Sendable {
    private struct Model {
        var window: LoadWindow
        var scaler = Autoscaler()
        var desired: Int?
    }

    private struct State {
        var models: [ObjectKey: Model] = [:]
        /// The newest answers, by the pods' uids.
        var answers: [String: GatewayLoad] = [:]
        /// How often it was asked, and which time the answers are of.
        var asked = 0
        var answered = 0
        /// Those up to which the windows reach.
        var counted: [String: GatewayLoad] = [:]
        var canaries: [ObjectKey: CanaryCount] = [:]
        /// Of what serves, where the spec says what it must not exceed.
        var services: [ObjectKey: ServiceCount] = [:]
    }

    static let interval: Duration = .seconds(1)

    private let reader: any GatewayReader
    private let access: @Sendable () async throws -> GatewayAccess?
    private let gateway: GatewayCaches
    private let caches: Caches
    private let time: any TimeSource
    private let isLeader: @Sendable () -> Bool
    private let complaints: PushComplaints
    private let state = Locked(State())

    init(
        reader: any GatewayReader, access: @escaping @Sendable () async throws -> GatewayAccess?,
        gateway: GatewayCaches, caches: Caches, time: any TimeSource, isLeader: @escaping @Sendable () -> Bool,
        complaints: PushComplaints
    ) {
        self.reader = reader
        self.access = access
        self.gateway = gateway
        self.caches = caches
        self.time = time
        self.isLeader = isLeader
        self.complaints = complaints
    }

    // MARK: Asking

    /// Asks until the task is cancelled.
    /// - Parameter queue: of the models that are to be looked at for what was heard.
    func run(queue: WorkQueue) async {
        while !Task.isCancelled {
            await round(queue: queue)
            do { try await time.sleep(for: Self.interval) } catch { return }
        }
    }

    /// Asks once, and puts into the queue whom it concerns.
    func round(queue: WorkQueue) async {
        guard isLeader() else {
            // What was asked before comes for nobody.
            state.withLock { state in
                let asked = state.asked
                state = State()
                (state.asked, state.answered) = (asked, asked)
            }
            return
        }
        await ask()
        for key in digest() { queue.add(key) }
    }

    /// Asks every pod now; who does not answer has no answer. What was asked earlier and comes later is not taken for newer.
    func ask() async {
        let number = state.withLock { state in
            state.asked += 1
            return state.asked
        }
        var answers: [String: GatewayLoad] = [:]
        do {
            if let access = try await access() { answers = await ask(by: access) }
        } catch {
            complaints.tell("access", "the gateway cannot be asked", "\(error)")
        }
        state.withLock { state in
            guard number > state.answered else { return }
            state.answers = answers
            state.answered = number
        }
    }

    private func ask(by access: GatewayAccess) async -> [String: GatewayLoad] {
        await withTaskGroup(of: (String, GatewayLoad?).self) { group in
            for pod in livePods {
                guard let address = pod.addresses.first else { continue }
                group.addTask { (pod.metadata.uid, await self.ask(pod.metadata.name, at: address, by: access)) }
            }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
    }

    private func ask(_ name: String, at address: String, by access: GatewayAccess) async -> GatewayLoad? {
        do {
            let load = try await reader.load(of: address, by: access)
            complaints.settle(name)
            return load
        } catch {
            complaints.tell(name, "a pod of the gateway does not say what it has to do", "\(error)", ["pod": "\(name)"])
            return nil
        }
    }

    /// In an order that is the same in every process.
    private var livePods: [GatewayPod] {
        gateway.pods.all().filter { !$0.hasEnded }.sorted { $0.metadata.uid < $1.metadata.uid }
    }

    // MARK: What follows

    /// Takes in what was heard. Returns the models that are to be looked at.
    private func digest() -> [ObjectKey] {
        let now = time.monotonicNow()
        let pods = livePods
        var concerned: [ObjectKey] = []
        let models = caches.models.all()
        let scaled = models.filter { $0.spec.value?.serving.autoscaling != nil }
        state.withLock { state in
            concerned = Self.countCanaries(of: models, pods.map(\.metadata.uid), in: &state)
            concerned += Self.countServices(of: models, pods.map(\.metadata.uid), now, in: &state)
            let keys = Set(scaled.map(\.metadata.key))
            state.models = state.models.filter { keys.contains($0.key) }
            for model in scaled {
                let key = model.metadata.key
                var known = state.models[key] ?? Model(window: LoadWindow(now: now))
                var sum = LoadWindow.Second()
                var isComplete = !pods.isEmpty
                for pod in pods {
                    guard let answer = state.answers[pod.metadata.uid], let last = state.counted[pod.metadata.uid],
                        let second = answer.second(of: key, since: last)
                    else {
                        isComplete = false
                        continue
                    }
                    sum.concurrency += second.concurrency
                    sum.requests += second.requests
                }
                known.window.add(sum, isComplete: isComplete, now: now)
                if scale(model, &known, now) { concerned.append(key) }
                state.models[key] = known
            }
            state.counted = state.answers
        }
        return concerned
    }

    /// Returns the models that have one: each second it may be too bad to go on.
    private static func countCanaries(of models: [MLModel], _ pods: [String], in state: inout State) -> [ObjectKey] {
        var counts: [ObjectKey: CanaryCount] = [:]
        for model in models {
            guard let status = model.status.value, let rollout = status.rollout, rollout.state == .progressing else {
                continue
            }
            let key = model.metadata.key
            let known = state.canaries[key].flatMap { $0.isOf(rollout) ? $0 : nil }
            var count = known ?? CanaryCount(of: rollout, before: state.counted.compactMapValues { $0.models[key] })
            count.add(
                state.answers.compactMapValues { $0.models[key] }, of: pods, step: rollout.step,
                generation: status.trafficGeneration ?? 0)
            counts[key] = count
        }
        state.canaries = counts
        return Array(counts.keys)
    }

    /// Returns the models of which what serves exceeds a bound.
    private static func countServices(
        of models: [MLModel], _ pods: [String], _ now: Duration, in state: inout State
    ) -> [ObjectKey] {
        var counts: [ObjectKey: ServiceCount] = [:]
        var concerned: [ObjectKey] = []
        for model in models {
            guard let rules = model.spec.value?.serving.rollout?.analysis,
                let revision = model.status.value?.revision
            else { continue }
            let key = model.metadata.key
            let known = state.services[key].flatMap { $0.revision == revision ? $0 : nil }
            var count = known ?? ServiceCount(of: revision, before: state.counted.compactMapValues { $0.models[key] })
            count.add(state.answers.compactMapValues { $0.models[key] }, of: pods, now: now)
            counts[key] = count
            if count.violation(of: rules) != nil { concerned.append(key) }
        }
        state.services = counts
        return concerned
    }

    /// Whether something is to be done.
    private func scale(_ model: MLModel, _ known: inout Model, _ now: Duration) -> Bool {
        guard let serving = model.spec.value?.serving, let rules = serving.autoscaling,
            let status = model.status.value,
            let share = status.traffic.first(where: { $0.revision == status.revision }),
            let revision = status.revisions.last(where: { $0.name == share.revision }),
            let child = caches.deployments.get(
                ObjectKey(namespace: model.metadata.namespace, name: revision.deployment))
        else { return false }
        switch share.state {
        case .draining: return true
        case .hibernating:
            known.desired = nil
            return false
        default: break
        }
        let desired = known.scaler.desired(
            known.window.load(in: rules.metric ?? .concurrency), by: rules, limit: serving.concurrencyLimit,
            ready: child.availableReplicas, current: child.replicas, now: now)
        known.desired = desired
        let isIdle = rules.sleeps && now - known.window.lastActive >= rules.idleTime
        return desired != child.replicas || isIdle
    }

    // MARK: Observing

    /// What was counted of a model's canary; nil where nobody has looked yet.
    func canary(_ key: ObjectKey) -> CanaryCount? { state.withLock { $0.canaries[key] } }

    /// What was counted of a model's serving revision; nil where nobody has looked yet.
    func service(_ key: ObjectKey) -> ServiceCount? { state.withLock { $0.services[key] } }

    /// What is known of a model; nil where nobody has looked yet.
    func observe(_ key: ObjectKey) -> ScalingObservation? {
        let now = time.monotonicNow()
        return state.withLock { state in
            let reports = state.answers.compactMapValues { $0.models[key] }
            guard let known = state.models[key] else {
                // What has a bound is told about though it does not scale.
                return reports.isEmpty ? nil : ScalingObservation(reports: reports)
            }
            return ScalingObservation(
                desired: known.desired, idle: now - known.window.lastActive, reports: reports)
        }
    }
}
