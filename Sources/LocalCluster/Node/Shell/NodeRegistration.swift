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
                if now >= nextStatus {
                    try await writeStatus()
                    nextStatus = now + Self.statusInterval
                }
                try await renewLease()
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
                "kubernetes.io/arch": .string(Self.architecture),
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

    private func writeStatus() async throws(KubernetesError) {
        let key = ObjectKey(namespace: nil, name: name)
        let current = try await context.client.get(.nodes, key)
        let status = status(current["status", "conditions"]?.array ?? [])
        _ = try await context.client.mergePatch(
            .nodes, key, ["status": status], subresource: "status", fieldManager: NodeContext.fieldManager)
    }

    private func status(_ old: [JSONValue]) -> JSONValue {
        let now = JSONValue.string(context.wallNow.description)
        func condition(_ type: String, _ status: JSONValue, _ reason: JSONValue, _ message: JSONValue) -> JSONValue {
            let before = old.first { $0["type"]?.string == type }
            let moved = before?["status"] != status
            return [
                "type": .string(type), "status": status, "reason": reason, "message": message,
                "lastHeartbeatTime": now,
                "lastTransitionTime": moved ? now : before?["lastTransitionTime"] ?? now,
            ]
        }
        let ready: JSONValue = .string("the node runs pods as processes of its machine")
        return [
            "capacity": context.capacity.json, "allocatable": context.capacity.json,
            "conditions": [
                condition(
                    "MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
                condition("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
                condition("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
                condition("Ready", "True", "KubeletReady", ready),
            ],
            "addresses": [
                ["type": "InternalIP", "address": .string(context.network.hostAddress)],
                ["type": "Hostname", "address": .string(name)],
            ],
            "nodeInfo": [
                "machineID": "", "systemUUID": "", "bootID": "", "operatingSystem": "linux",
                "architecture": .string(Self.architecture), "kernelVersion": .string(Self.kernel),
                "osImage": "Assay local node", "containerRuntimeVersion": "assay://0.1",
                "kubeletVersion": "v1.34.0-assay", "kubeProxyVersion": "",
            ],
        ]
    }

    /// Where there is no namespace for leases, the Node's conditions alone speak.
    private func renewLease() async throws(KubernetesError) {
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
            do throws(KubernetesError) {
                _ = try await context.client.create(
                    .leases, ["metadata": ["name": .string(name), "namespace": "kube-node-lease"], "spec": spec],
                    fieldManager: NodeContext.fieldManager)
            } catch {
                guard error.isNotFound else { throw error }
            }
        }
    }

    private static var architecture: String {
        #if arch(arm64)
        "arm64"
        #else
        "amd64"
        #endif
    }

    private static var kernel: String {
        String(FileSystem.text("/proc/sys/kernel/osrelease")?.prefix { $0 != "\n" } ?? "")
    }
}
