import Concurrency
import ControllerRuntime
import JSON
import KubernetesClient
import KubernetesModel
import Logging

/// What all pods of a node share.
struct NodeContext: Sendable {
    var options: NodeOptions
    var client: KubernetesClient
    var images: ImageStore
    var processes: ProcessThread
    var isolation: ContainerLaunch.Isolation
    /// Used where the isolation is none.
    var linkedMounts: LinkedMounts
    var network: NodeNetwork
    var services: Store<DynamicObject>
    var events: EventRecorder
    var logger: Logger
    var capacity: NodeCapacity

    var time: any TimeSource { options.time }
    var wallNow: Timestamp { Timestamp(sinceEpoch: time.wallNow()) }
    var volumes: VolumeDirectory { VolumeDirectory(dataDirectory: options.dataDirectory) }
    /// The field manager of the node's writes.
    static let fieldManager = "assay-node"

    func record(_ pod: NodePod, _ type: EventNote.Kind, _ reason: String, _ note: String) {
        let regarding = ObjectReference(.pods, pod.metadata)
        events.record(EventNote(regarding: regarding, type: type, reason: reason, action: reason, note: note))
    }
}

/// Runs one pod: plans, carries out, writes the status, and waits for the next thing to happen.
final class PodWorker: Sendable {
    enum Event: Sendable {
        case updated(NodePod)
        case removed
        case ended(String, ContainerIdentity, ProcessEnd)
        case probed(String, ContainerIdentity, ContainerProbe.Kind, ProbeResult)
        case preStopped(String, ContainerIdentity)
        case tick
    }

    /// An instance of a container, so that late news of an earlier one is known as such.
    typealias ContainerIdentity = String

    private let context: NodeContext
    private let uid: String
    private let events: AsyncStream<Event>
    let inbox: AsyncStream<Event>.Continuation

    init(_ context: NodeContext, uid: String) {
        self.context = context
        self.uid = uid
        (events, inbox) = AsyncStream.makeStream()
        inbox.yield(.tick)
    }

    /// Runs until the pod is gone from the API server and the node, or the task is cancelled.
    func run(_ pod: NodePod) async {
        await withDiscardingTaskGroup { group in
            let run = PodRun(pod, context, inbox)
            var scheduled: Duration?
            for await event in events {
                await run.handle(event)
                let (wakeAt, work) = await run.advance()
                for work in work { group.addTask { await work() } }
                if await run.isOver { break }
                let now = context.time.monotonicNow()
                if let at = scheduled, at <= now { scheduled = nil }
                if let wakeAt, scheduled.map({ wakeAt < $0 }) ?? true {
                    scheduled = wakeAt
                    group.addTask { await self.tick(after: wakeAt - now) }
                }
            }
            await run.stop()
            group.cancelAll()
        }
    }

    private func tick(after wait: Duration) async {
        do {
            try await context.time.sleep(for: max(wait, .milliseconds(1)))
            inbox.yield(.tick)
        } catch {
            // Cancelled: the pod is over.
            return
        }
    }
}
