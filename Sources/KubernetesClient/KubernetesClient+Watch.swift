import HTTPTransport
import KubernetesModel

extension KubernetesClient {
    /// Begins a watch. It is never tried again here: whoever watches has a backoff and a version to resume from.
    public func watch(
        _ type: ResourceType, namespace: String? = nil, _ options: WatchOptions
    ) async throws(KubernetesError) -> WatchStream {
        let operation = Self.operation("watch", type, namespace: namespace)
        var target = try Self.collection(type, namespace, operation)
        target.add("watch", "true")
        target.add("resourceVersion", options.resourceVersion.isEmpty ? nil : options.resourceVersion)
        target.add("labelSelector", options.labelSelector)
        target.add("fieldSelector", options.fieldSelector)
        target.add("allowWatchBookmarks", options.allowBookmarks ? "true" : nil)
        target.add("timeoutSeconds", String(options.timeoutSeconds))
        if options.sendInitialEvents {
            target.add("sendInitialEvents", "true")
            target.add("resourceVersionMatch", "NotOlderThan")
        }
        var request = request(.get, target)
        let idle = options.idleTimeout ?? .seconds(options.timeoutSeconds + 5)
        request.delivery = options.waitsForReader ? .stream(idleTimeout: idle) : .watch(idleTimeout: idle)
        let body = try await perform(
            Call(request: request, operation: operation, isWrite: false), retry: .never
        ) {
            (response: HTTPResponse) async throws(HTTPTransportError) in response.body
        }
        let patience = WatchPatience(
            time: time, limit: idle, withBookmarks: options.stallTimeout, hasBookmarks: options.expectsBookmarks)
        return WatchStream(body: body, operation: operation, patience: patience)
    }
}
