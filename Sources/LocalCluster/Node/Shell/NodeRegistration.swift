import Concurrency
import Glibc
import JSON
import KubernetesClient
import KubernetesModel
import Logging

/// Registers the node and says again and again that it is alive: the Node's conditions, and its Lease.
struct NodeRegistration: Sendable {
    private let context: NodeContext

    init(_ context: NodeContext) { self.context = context }

    /// How often the status is written though nothing in it has changed, as a kubelet does; the Lease says the rest.
    private static let statusInterval: Duration = .seconds(300)

    /// Runs until the task is cancelled.
    func run() async {
        var isRegistered = false
        var nextStatus: Duration = .zero
        while !Task.isCancelled {
            var wait = context.options.heartbeat
            do throws(KubernetesError) {
                if !isRegistered { try await register() }
                isRegistered = true
                let now = context.time.monotonicNow()
                let (node, isWritten) = try await writeStatus(isDue: now >= nextStatus)
                if isWritten { nextStatus = now + Self.statusInterval }
                try await renewLease(of: node)
            } catch {
                if error.isNotFound { (isRegistered, nextStatus) = (false, .zero) }
                if !Task.isCancelled {
                    context.logger.warning("cannot say that the node is alive", metadata: ["error": "\(error)"])
                }
                wait = min(wait, .seconds(1))
            }
            do {
                try await context.time.sleep(for: wait)
            } catch {
                return
            }
        }
    }

    private var name: String { context.options.name }

    /// Creates the Node; one of that name from before is taken over.
    private func register() async throws(KubernetesError) {
        let metadata: JSONValue = [
            "name": .string(name),
            "labels": [
                "kubernetes.io/hostname": .string(name), "kubernetes.io/os": "linux",
                "kubernetes.io/arch": .string(NodeStatus.architecture),
            ],
            "annotations": ["assay.dev/network": context.network.isHost ? "host" : "bridge"],
        ]
        do throws(KubernetesError) {
            _ = try await context.client.create(
                .nodes, ["metadata": metadata, "spec": [:]], fieldManager: NodeContext.fieldManager)
        } catch {
            guard error.isAlreadyExists else { throw error }
            _ = try await context.client.mergePatch(
                .nodes, ObjectKey(namespace: nil, name: name), ["metadata": metadata],
                fieldManager: NodeContext.fieldManager)
        }
    }

    /// Writes the status when it is due, or when the API server shows another: a node that was silent for too long is
    /// told to be dead, and is so until it speaks for itself.
    ///
    /// - Returns: the Node as the API server had it, and whether its status was written.
    private func writeStatus(isDue: Bool) async throws(KubernetesError) -> (node: JSONValue, isWritten: Bool) {
        let key = ObjectKey(namespace: nil, name: name)
        let current = try await context.client.get(.nodes, key)
        let status = NodeStatus(
            name: name, address: context.network.hostAddress, capacity: context.capacity, now: context.wallNow)
        if !isDue, status.isShown(by: current) { return (current, false) }
        _ = try await context.client.mergePatch(
            .nodes, key, ["status": status.json(after: current)], subresource: "status",
            fieldManager: NodeContext.fieldManager)
        return (current, true)
    }

    /// Where there is no namespace for leases, the Node's conditions alone speak.
    private func renewLease(of node: JSONValue) async throws(KubernetesError) {
        let key = ObjectKey(namespace: "kube-node-lease", name: name)
        let spec: JSONValue = [
            "holderIdentity": .string(name), "leaseDurationSeconds": 40,
            "renewTime": .string(context.wallNow.microTime),
        ]
        do throws(KubernetesError) {
            _ = try await context.client.mergePatch(
                .leases, key, ["spec": spec], fieldManager: NodeContext.fieldManager)
        } catch {
            guard error.isNotFound else { throw error }
            // It goes with its Node.
            let owner: JSONValue = [
                "apiVersion": "v1", "kind": "Node", "name": .string(name), "uid": node["metadata", "uid"] ?? "",
            ]
            let metadata: JSONValue = [
                "name": .string(name), "namespace": "kube-node-lease", "ownerReferences": [owner],
            ]
            do throws(KubernetesError) {
                _ = try await context.client.create(
                    .leases, ["metadata": metadata, "spec": spec], fieldManager: NodeContext.fieldManager)
            } catch {
                guard error.isNotFound else { throw error }
            }
        }
    }
}
