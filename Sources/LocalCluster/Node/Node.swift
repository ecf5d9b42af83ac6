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

/// A Kubernetes node that runs pods as processes of this machine.
///
/// It is a client of the Kubernetes API as a kubelet is: it registers a Node, watches the pods that are bound to it,
/// runs them and writes their status. It works with any API server, the one of `LocalCluster` or a real one.
public struct Node: Sendable {
    private let client: KubernetesClient
    private let options: NodeOptions
    private let network: NodeNetwork?
    private let logger: Logger
    /// Where the node's containers' output is read, while it runs and after.
    public let logs: NodeLogs

    /// - Parameter network: one that was opened before, so that the API server could take its range of service
    ///   addresses; the node closes it. Nil to open one as the options say.
    public init(client: KubernetesClient, options: NodeOptions, network: NodeNetwork? = nil, logger: Logger) {
        self.client = client
        self.options = options
        self.network = network
        var logger = logger
        logger[metadataKey: "node"] = "\(options.name)"
        self.logger = logger
        logs = NodeLogs(options: options)
    }

    /// Runs the node until the task is cancelled; every container has ended when it returns.
    public func run() async throws {
        try FileSystem.makeDirectories(options.dataDirectory)
        let images = try ImageStore(images: options.images, dataDirectory: options.dataDirectory)
        let processes = try ProcessThread(executable: options.executable, time: options.time)
        let network: NodeNetwork
        if let opened = self.network {
            network = opened
        } else {
            network = try await NodeNetwork.open(options.network, logger: logger)
        }
        let (isolation, reason) = await IsolationProbe(options: options, processes: processes).find()
        if isolation == .none {
            logger.warning(
                "containers are plain processes of the node's user: no namespaces may be made, so volumes are links",
                metadata: ["reason": "\(reason)"])
        }
        let context = NodeContext(
            options: options, client: client, images: images, processes: processes, isolation: isolation,
            linkedMounts: LinkedMounts(dataDirectory: options.dataDirectory), network: network, services: Store(),
            events: EventRecorder(
                client: client, controller: "assay.dev/node", instance: options.name, time: options.time,
                logger: logger),
            logger: logger, capacity: .current())
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await context.events.run() }
            group.addTask { await NodeRegistration(context).run() }
            reflect(.services, context.services, in: &group)
            group.addTask { await serve(context) }
            await runPods(context, &group)
            group.cancelAll()
        }
        await stop(processes, network)
    }

    /// Forwards connections to services and answers for their names, until the task is cancelled.
    private func serve(_ context: NodeContext) async {
        let endpoints: EndpointSource
        do {
            endpoints = try await EndpointSource.find(client, time: options.time, logger: logger)
        } catch {
            // Cancelled.
            return
        }
        await withTaskGroup(of: Void.self) { group in
            reflect(endpoints.type, endpoints.store, in: &group)
            let proxy = ServiceProxy(
                services: context.services, endpoints: endpoints, network: context.network,
                domain: options.network.clusterDomain, logger: logger)
            group.addTask { await proxy.run() }
        }
    }

    private func reflect(
        _ type: ResourceType, _ store: Store<DynamicObject>, in group: inout TaskGroup<Void>,
        fieldSelector: String? = nil
    ) {
        let reflector = Reflector(
            client: client, type: type, fieldSelector: fieldSelector, store: store, time: options.time, logger: logger)
        group.addTask { await reflector.run() }
    }

    /// Runs every pod that is bound to the node, each in a task of its own, until the task is cancelled.
    private func runPods(_ context: NodeContext, _ group: inout TaskGroup<Void>) async {
        let store = Store<DynamicObject>()
        let (changes, signal) = AsyncStream.makeStream(of: StoreChange<DynamicObject>.self)
        store.subscribe { signal.yield($0) }
        reflect(.pods, store, in: &group, fieldSelector: "spec.nodeName=\(options.name)")
        group.addTask { await removeStrangers(store, context) }
        await withDiscardingTaskGroup { workers in
            var inboxes: [String: AsyncStream<PodWorker.Event>.Continuation] = [:]
            for await change in changes {
                let uid = change.object.metadata.uid
                if change.isDeletion {
                    inboxes.removeValue(forKey: uid)?.yield(.removed)
                    continue
                }
                do throws(JSONShapeError) {
                    let pod = try NodePod(json: change.object.json)
                    if let inbox = inboxes[uid] {
                        inbox.yield(.updated(pod))
                    } else {
                        let worker = PodWorker(context, uid: uid)
                        inboxes[uid] = worker.inbox
                        workers.addTask { await worker.run(pod) }
                    }
                } catch {
                    context.logger.error(
                        "a pod cannot be read", metadata: ["pod": "\(change.key)", "error": "\(error)"])
                }
            }
            workers.cancelAll()
        }
    }

    /// Removes the files of pods that are no more, as a node before this one may have left them.
    private func removeStrangers(_ store: Store<DynamicObject>, _ context: NodeContext) async {
        let directory = context.volumes.pod("")
        do {
            guard FileSystem.kind(directory) == .directory else { return }
            // Taken before the pods are known: a directory that comes later belongs to a pod that is known.
            let found = try FileSystem.entries(directory)
            try await store.waitForSync()
            let known = Set(store.all().map(\.metadata.uid))
            for uid in found where !known.contains(uid) {
                let path = context.volumes.pod(uid)
                try await BlockingThread.attempt { () throws(FileError) in try FileSystem.remove(path) }
            }
        } catch {
            if !Task.isCancelled {
                context.logger.warning("cannot remove files of former pods", metadata: ["error": "\(error)"])
            }
        }
    }

    /// Gives containers that were asked to stop a moment, then ends them and takes the network down.
    private func stop(_ processes: ProcessThread, _ network: NodeNetwork) async {
        let grace = options.stopGrace
        await BlockingThread.run {
            let components = grace.components
            var left = components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
            while left > 0, processes.count > 0 {
                usleep(20_000)
                left -= 20
            }
        }
        await processes.stop()
        await network.close()
    }
}
