import Concurrency
import ControllerRuntime
import Files
import JSON
import KubernetesClient
import KubernetesModel
import Logging

#if canImport(Glibc)
import Glibc
#endif

/// One pod on this node: its memory, and the carrying out of its plans.
actor PodRun {
    /// Something that goes on beside the pod's planning and reports to its inbox.
    typealias Work = @Sendable () async -> Void

    let context: NodeContext
    let inbox: AsyncStream<PodWorker.Event>.Continuation
    var logger: Logger
    var pod: NodePod
    var state: PodState
    var processes: [String: ContainerProcess] = [:]
    /// Where each volume is on the node.
    var volumes: [String: VolumeLocation] = [:]
    var attachment: NodeNetwork.Attachment?
    /// What each container that runs was given, for commands run in it.
    var environments: [String: [String: String]] = [:]
    private var written: JSONValue?
    /// The pod's resource version with that status in it.
    private var writtenVersion: String?
    private var nextWrite: Duration?
    private var isConfirmed = false
    private var work: [Work] = []

    struct VolumeLocation: Sendable, Hashable {
        var directory: String
        var isReadOnly: Bool
    }

    init(_ pod: NodePod, _ context: NodeContext, _ inbox: AsyncStream<PodWorker.Event>.Continuation) {
        self.pod = pod
        self.context = context
        self.inbox = inbox
        logger = context.logger
        logger[metadataKey: "pod"] = "\(pod.key)"
        state = PodState(
            pod, wall: context.wallNow, now: context.time.monotonicNow(), backoff: context.options.restartBackoff)
    }

    /// Nothing is left to do for the pod, now or later.
    var isOver: Bool { isConfirmed || (state.isRemoved && state.isCleanedUp && processes.isEmpty) }

    func handle(_ event: PodWorker.Event) {
        switch event {
        case .updated(let pod): note(pod)
        case .removed: state.isRemoved = true
        case .ended(let name, let identity, let end): noteEnd(name, identity, end)
        case .probed(let name, let identity, let kind, let result): noteProbe(name, identity, kind, result)
        case .preStopped(let name, let identity):
            if state[name].running?.containerID == identity { processes[name]?.signal(SIGTERM) }
        case .tick: break
        }
    }

    private func note(_ pod: NodePod) {
        self.pod = pod
        guard let written, let writtenVersion,
            ResourceVersion.covers(pod.metadata.resourceVersion, writtenVersion) == true
        else { return }
        // Another has changed it since.
        if !PodStatus.isShown(written, by: pod.json) { self.written = nil }
    }

    /// Plans and carries out until there is nothing more to do at the moment.
    ///
    /// - Returns: when to come back, and what to do meanwhile.
    func advance() async -> (wakeAt: Duration?, work: [Work]) {
        let wakeAt = await carryOutPlans()
        defer { work = [] }
        return (wakeAt, work)
    }

    private func carryOutPlans() async -> Duration? {
        // A plan without actions ends it; the bound is against a mistake in the planner.
        for _ in 0..<100 {
            if isOver { return nil }
            let plan = PodPlan(pod, state, now: context.time.monotonicNow(), wall: context.wallNow)
            // An end is told before the pod is taken down, and a start before the next step.
            await writeStatus()
            if plan.actions.isEmpty { return [plan.wakeAt, nextWrite].compactMap { $0 }.min() }
            for action in plan.actions { await carryOut(action) }
        }
        logger.error("planning the pod does not come to an end")
        return context.time.monotonicNow() + .seconds(1)
    }

    private func carryOut(_ action: PodPlan.Action) async {
        switch action {
        case .prepare: await prepare()
        case .renewTokens: await renewTokens()
        case .refreshVolumes: await refreshVolumes()
        case .start(let name):
            if let container = container(name) { await start(container) }
        case .stop(let name, let grace, let why): stop(name, grace, why)
        case .kill(let name):
            state[name].stopping?.isKilled = true
            processes[name]?.signal(SIGKILL)
        case .probe(let name, let kind): probe(name, kind)
        case .fail(let failure):
            state.failure = failure
            context.record(pod, .warning, failure.reason, failure.message)
        case .cleanUp: await cleanUp()
        case .confirmDeletion: await confirmDeletion()
        }
    }

    func container(_ name: String) -> NodeContainer? { pod.allContainers.first { $0.name == name } }

    private func stop(_ name: String, _ grace: Duration, _ why: String) {
        guard let identity = state[name].running?.containerID else { return }
        state[name].stopping = ContainerState.Stopping(deadline: context.time.monotonicNow() + grace)
        context.record(pod, .normal, "Killing", why == "Stopping container" ? "Stopping container \(name)" : why)
        guard grace > .zero else { return }
        if let hook = container(name)?.preStop, let process = processes[name] {
            let launchOfHook = commandLaunch(hook, in: process, name)
            let context = context
            let inbox = inbox
            work.append {
                _ = await ContainerCommandRun(context).run(launchOfHook, timeout: grace)
                inbox.yield(.preStopped(name, identity))
            }
        } else {
            processes[name]?.signal(SIGTERM)
        }
    }

    private func probe(_ name: String, _ kind: ContainerProbe.Kind) {
        guard let identity = state[name].running?.containerID, let probe = container(name)?.probes[kind] else { return }
        state[name].probes[kind]?.nextAt = nil
        let run: ProbeRun.Target =
            if case .exec(let command) = probe.check, let process = processes[name] {
                .command(commandLaunch(command, in: process, name))
            } else {
                .address(state.address ?? "127.0.0.1")
            }
        let (context, inbox) = (context, inbox)
        work.append {
            let result = await ProbeRun(context, probe, run).result()
            inbox.yield(.probed(name, identity, kind, result))
        }
    }

    private func noteProbe(
        _ name: String, _ identity: String, _ kind: ContainerProbe.Kind, _ result: ProbeResult
    ) {
        guard state[name].running?.containerID == identity, let probe = container(name)?.probes[kind] else { return }
        state[name].probes[kind]?.note(result, of: probe)
        state[name].probes[kind]?.nextAt = context.time.monotonicNow() + probe.period
        if case .failure(let message) = result, state[name].stopping == nil {
            context.record(pod, .warning, "Unhealthy", "\(kind.rawValue) probe failed: \(message)")
        }
    }

    private func noteEnd(_ name: String, _ identity: String, _ end: ProcessEnd) {
        guard let container = container(name), let running = state[name].running, running.containerID == identity else {
            return
        }
        processes[name] = nil
        let group = ControlGroup(identity, context)
        let isOutOfMemory = end.exitCode == 137 && group.hasKilled
        group.remove()
        let instance = state[name].restartCount
        let message = TerminationMessage(context.volumes, uid: pod.uid, container: container, instance: instance)
        let reason = isOutOfMemory ? "OOMKilled" : end.exitCode == 0 ? "Completed" : "Error"
        let termination = Termination(
            exitCode: end.exitCode, reason: reason, message: message.text(exitCode: end.exitCode),
            startedAt: running.startedAt, finishedAt: context.wallNow, containerID: identity)
        note(termination, container)
    }

    /// Notes an end, of a container that ran or of one that could not be started.
    func note(_ end: Termination, _ container: NodeContainer) {
        let ends = pod.metadata.isBeingDeleted || state.isRemoved || state.failure != nil
        let restarts = container.restarts(after: end.exitCode, pod.restartPolicy) && !ends
        state[container.name].noteEnded(
            end, willRestart: restarts, now: context.time.monotonicNow(), backoff: context.options.restartBackoff)
        if restarts, state[container.name].restartDelay != nil {
            let full = "\(pod.metadata.name)_\(pod.key.namespace ?? "default")(\(pod.uid))"
            context.record(
                pod, .warning, "BackOff",
                "Back-off restarting failed container \(container.name) in pod \(full)")
        }
    }

    /// Writes the status if it is another than the one written last.
    private func writeStatus() async {
        if state.isRemoved || state.finalPhase != nil { return }
        let now = context.time.monotonicNow()
        if let nextWrite, nextWrite > now { return }
        let status = PodStatus(pod: pod, state: state, hostIP: context.network.hostAddress)
            .json(now: context.wallNow, written: written)
        if status == written { return }
        let patch: JSONValue = ["metadata": ["uid": .string(pod.uid)], "status": status]
        do throws(KubernetesError) {
            let answer = try await context.client.mergePatch(
                .pods, pod.key, patch, subresource: "status", fieldManager: NodeContext.fieldManager)
            written = status
            writtenVersion = answer["metadata", "resourceVersion"]?.string
            nextWrite = nil
        } catch {
            if error.isNotFound || error.isConflict || error.isInvalid {
                // Gone, or another pod of that name: the watch tells of it.
                logger.debug("the pod's status was not taken", metadata: ["error": "\(error)"])
                written = status
            } else {
                logger.warning("cannot write the pod's status; trying again", metadata: ["error": "\(error)"])
            }
            nextWrite = now + .seconds(1)
        }
    }

    private func confirmDeletion() async {
        do throws(KubernetesError) {
            try await context.client.delete(
                .pods, pod.key, DeleteOptions(uid: pod.uid, gracePeriodSeconds: 0))
            isConfirmed = true
        } catch {
            if error.isNotFound || error.isConflict {
                isConfirmed = true
                return
            }
            logger.warning("cannot confirm the pod's deletion; trying again", metadata: ["error": "\(error)"])
            do {
                try await context.time.sleep(for: .seconds(1))
            } catch {
                // The node stops; whoever starts next confirms.
                isConfirmed = true
            }
        }
    }

    /// Takes down the network and, for a pod that is going away, its files.
    private func cleanUp() async {
        if let attachment {
            await context.network.detach(attachment)
            self.attachment = nil
        }
        await context.linkedMounts.release(pod.uid)
        if pod.metadata.isBeingDeleted || state.isRemoved {
            let directory = context.volumes.pod(pod.uid)
            let logger = logger
            await BlockingThread.run {
                do throws(FileError) {
                    try FileSystem.remove(directory)
                } catch {
                    logger.warning("cannot remove the pod's files", metadata: ["error": "\(error)"])
                }
            }
        }
        state.isCleanedUp = true
    }

    /// The node stops: what runs is asked to, and killed with the node's own end.
    func stop() async {
        for process in processes.values { process.signal(SIGTERM) }
        if let attachment, isOver { await context.network.detach(attachment) }
    }
}
