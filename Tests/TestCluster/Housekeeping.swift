import AssayCore
import JSON
import KubernetesClient
import KubernetesModel

/// What kube-controller-manager does beside the controllers of LocalCluster, whose API server does this by itself:
/// service accounts of namespaces, the end of namespaces, and garbage. For an API server that comes without it.
struct Housekeeping: Sendable {
    let client: KubernetesClient

    /// What stories make, each kind before those that own it: an owner that is older than its dependents is then seen
    /// whenever one of them was.
    private static let types: [ResourceType] = [
        .pods, .replicaSets, .jobs, .services, .deployments, .trainingJobs, .mlModels,
    ]
    private static let foreground: JSONValue = "foregroundDeletion"

    private struct Item {
        let type: ResourceType
        let object: JSONValue

        var key: ObjectKey {
            ObjectKey(namespace: namespace, name: object["metadata", "name"]?.string ?? "")
        }
        var namespace: String { object["metadata", "namespace"]?.string ?? "" }
        var uid: String { object["metadata", "uid"]?.string ?? "" }
        var owners: [JSONValue] { object["metadata", "ownerReferences"]?.array ?? [] }
        var isTerminating: Bool { object["metadata", "deletionTimestamp"] != nil }
        var finalizers: [JSONValue] { object["metadata", "finalizers"]?.array ?? [] }
        var waitsForDependents: Bool { isTerminating && finalizers.contains(Housekeeping.foreground) }
    }

    /// Runs until cancelled.
    func run() async throws {
        while true {
            do throws(KubernetesError) {
                try await keepNamespaces(try await collectGarbage())
            } catch {
                // What came in between is there or gone now: the next round sees it.
                guard error.isNotFound || error.isConflict || error.isAlreadyExists else { throw error }
            }
            try await Task.sleep(for: .milliseconds(200))
        }
    }

    /// Deletes what nobody owns any more, and returns what there is.
    private func collectGarbage() async throws(KubernetesError) -> [Item] {
        var items: [Item] = []
        for type in Self.types {
            do throws(KubernetesError) {
                items += try await client.listAll(type).items.map { Item(type: type, object: $0) }
            } catch {
                // Our kinds come after the control plane.
                guard error.isNotFound else { throw error }
            }
        }
        let kinds = Set(Self.types.map(\.kind))
        let standing = Set(items.filter { !$0.waitsForDependents }.map(\.uid))
        for item in items {
            let isOwned = item.owners.contains { owner in
                !kinds.contains(owner["kind"]?.string ?? "") || standing.contains(owner["uid"]?.string ?? "")
            }
            if !item.owners.isEmpty, !isOwned, !item.isTerminating { try await delete(item) }
            if item.waitsForDependents, !items.contains(where: { $0.owners.contains { $0["uid"]?.string == item.uid } })
            {
                let left = item.finalizers.filter { $0 != Self.foreground }
                _ = try await client.mergePatch(
                    item.type, item.key, ["metadata": ["finalizers": .array(left), "uid": .string(item.uid)]],
                    fieldManager: "housekeeping")
            }
        }
        return items
    }

    private func delete(_ item: Item) async throws(KubernetesError) {
        do throws(KubernetesError) {
            try await client.delete(item.type, item.key, DeleteOptions(uid: item.uid, propagation: .foreground))
        } catch {
            guard error.isNotFound else { throw error }
        }
    }

    private func keepNamespaces(_ items: [Item]) async throws(KubernetesError) {
        for namespace in try await client.listAll(.namespaces).items {
            let name = namespace["metadata", "name"]?.string ?? ""
            guard namespace["metadata", "deletionTimestamp"] != nil else {
                try await makeAccount(name)
                continue
            }
            let left = items.filter { $0.namespace == name }
            for item in left where !item.isTerminating { try await delete(item) }
            if left.isEmpty {
                var ended = namespace
                ended["spec", "finalizers"] = []
                _ = try await client.replace(.namespaces, ended, subresource: "finalize", fieldManager: "housekeeping")
            }
        }
    }

    private func makeAccount(_ namespace: String) async throws(KubernetesError) {
        let key = ObjectKey(namespace: namespace, name: "default")
        do throws(KubernetesError) {
            _ = try await client.get(.serviceAccounts, key)
        } catch {
            guard error.isNotFound else { throw error }
            _ = try await client.create(
                .serviceAccounts, ["metadata": ["name": "default", "namespace": .string(namespace)]],
                fieldManager: "housekeeping")
        }
    }
}
