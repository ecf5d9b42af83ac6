import JSON
import KubernetesClient
import KubernetesModel

extension KubernetesClient {
    /// Gives each object of a kind as often as it changes, from now on and until cancelled or the watch breaks off.
    func follow(
        _ type: ResourceType, in namespace: String, _ take: @Sendable (JSONValue) -> Void
    ) async throws {
        let list = try await list(type, namespace: namespace)
        list.items.forEach(take)
        var version = list.resourceVersion
        while !Task.isCancelled {
            let stream = try await watch(
                type, namespace: namespace, WatchOptions(resourceVersion: version, timeoutSeconds: 300))
            while let events = try await stream.next() {
                for event in events {
                    switch event {
                    case .added(let object), .modified(let object), .deleted(let object):
                        version = object["metadata", "resourceVersion"]?.string ?? version
                        take(object)
                    case .bookmark(let new, _): version = new
                    }
                }
            }
        }
    }
}
