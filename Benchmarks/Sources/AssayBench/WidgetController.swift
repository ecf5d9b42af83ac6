import Concurrency
import ControllerRuntime
import Glibc
import JSON
import KubernetesClient
import KubernetesModel
import Logging

struct WidgetController {
    let client: KubernetesClient
    let options: Options
    let logger: Logger
    let widgets = Store<Widget>()
    let children = Store<Child>()
    let queue = WorkQueue(limits: WorkQueueLimits(perKeyAndSecond: 0))
    private let reconciled = Locked(0)

    init(client: KubernetesClient, options: Options, logger: Logger) {
        self.client = client
        self.options = options
        self.logger = logger
    }

    func run() async {
        let queue = queue
        let widgets = widgets
        widgets.subscribe { queue.add($0.key, priority: widgets.hasSynced ? .normal : .background) }
        children.subscribe { change in
            guard let owner = change.object.metadata.controller else { return }
            queue.add(ObjectKey(namespace: change.key.namespace, name: owner.name))
        }
        let controller = Controller(
            name: "widgets", workers: options.workers, queue: queue, logger: logger,
            waitForCaches: { try await waitForCaches() },
            reconcile: { await reconcile($0) })
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await follow(widgets) }
            if options.action == .job { group.addTask { await follow(children) } }
            group.addTask { await controller.run() }
        }
    }

    private func follow<Object: StoredObject>(_ store: Store<Object>) async {
        await Reflector(
            client: client, type: Object.resourceType, freshness: options.newest ? .newest : .cached, store: store,
            logger: logger
        ).run()
    }

    private func waitForCaches() async throws {
        try await widgets.waitForSync()
        if options.action == .job { try await children.waitForSync() }
        say("synced \(widgets.count)")
        if options.isGated { try await lineOnStandardInput() }
    }

    /// Waits for a line without holding one of the pool's two threads.
    private func lineOnStandardInput() async throws {
        var input = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
        while poll(&input, 1, 0) == 0 { try await Task.sleep(for: .milliseconds(5)) }
        _ = readLine()
    }

    private func reconcile(_ key: ObjectKey) async -> ReconcileOutcome {
        guard let widget = widgets.get(key) else { return .done }
        if key.name == "marker" { say("marker \(widget.revision)") }
        if options.action != .none {
            // The echo of our own write is no work.
            if widget.isDone { return .done }
            do throws(KubernetesError) {
                try await act(on: widget, key)
            } catch {
                return .retry(error, after: nil)
            }
        }
        let count = reconciled.withLock { count in
            count += 1
            return count
        }
        if count == options.expect { say("reconciled \(count)") }
        return .done
    }

    private func act(on widget: Widget, _ key: ObjectKey) async throws(KubernetesError) {
        if options.action == .job, children.get(key) == nil { try await createJob(for: widget) }
        _ = try await client.mergePatch(
            Widget.resourceType, key,
            ["status": ["phase": "Done", "observedGeneration": .integer(widget.metadata.generation)]],
            subresource: "status", fieldManager: "bench")
    }

    private func createJob(for widget: Widget) async throws(KubernetesError) {
        var metadata = ObjectMeta(name: widget.metadata.name, namespace: widget.metadata.namespace)
        metadata.ownerReferences = [OwnerReference(controller: widget.metadata, of: Widget.resourceType)]
        let template: JSONValue = [
            "spec": [
                "restartPolicy": "Never",
                "containers": [["name": "main", "image": "registry.local/empty:1"]],
            ]
        ]
        do throws(KubernetesError) {
            _ = try await client.create(
                .jobs, ["metadata": metadata.json, "spec": ["template": template]], fieldManager: "bench")
        } catch {
            if !error.isAlreadyExists { throw error }
        }
    }

    /// One line for the harness, at once.
    private func say(_ line: String) {
        print(line)
        fflush(nil)
    }
}
