import JSON
import KubernetesModel

/// Lines of a watch, ready to be written.
public struct WatchBatch: Sendable {
    /// Each is one event, newline included.
    public var lines: [[UInt8]]
    /// The response ends after these lines, and the watch is closed.
    public var isEnded: Bool
}

extension APIServer {
    /// Whether a request would open a watch.
    public static func isWatch(_ request: APIRequest) -> Bool {
        guard request.method == "GET" else { return false }
        let target = RequestTarget(request.target)
        return target.flag("watch") || target.segments.contains("watch")
    }

    /// Opens a watch; the same as ``handle(_:now:)`` with such a request, for owners that want its identifier.
    public mutating func openWatch(_ request: APIRequest, now: Timestamp) -> Result<WatchID, KubernetesStatus> {
        let response = handle(request, now: now)
        if case .watch(let id) = response.content { return .success(id) }
        do {
            let json = try JSONValue(parsing: response.body)
            if let status = KubernetesStatus(json: json) { return .failure(status) }
        } catch {
            return .failure(KubernetesStatus(code: 500, reason: "InternalError", message: error.description))
        }
        return .failure(KubernetesStatus(code: 400, reason: "BadRequest", message: "the request is not a watch"))
    }

    /// The watches that have got something to take since the last call.
    public mutating func takeReadyWatches() -> [WatchID] { watchers.takeReady() }

    /// What is pending on a watch.
    public mutating func takeEvents(_ id: WatchID) -> WatchBatch {
        let (lines, isEnded) = watchers.takeLines(id, now: now)
        return WatchBatch(lines: lines, isEnded: isEnded)
    }

    /// To be called when the client has gone.
    public mutating func closeWatch(_ id: WatchID) { watchers.remove(id) }

    public var openWatchCount: Int { watchers.watchers.count }

    mutating func watch(_ request: ResourceRequest, _ context: RequestContext) throws(APIFailure) -> APIResponse {
        let representation = try context.representation()
        let options = try WatchRequestOptions(context)
        var fields = try context.fieldSelector(request.resource)
        if let name = request.name { fields.requirements.append(.init("metadata.name", equals: name)) }
        var watcher = Watcher(
            resource: request.resource, namespace: request.namespace, labels: try context.labelSelector(),
            fields: fields, representation: representation,
            includeObject: context.target.value("includeObject") ?? "Metadata",
            wantsBookmarks: options.allowsBookmarks,
            deadline: options.timeoutSeconds.map { context.now + .seconds($0) }, lastActivity: context.now)
        try start(&watcher, options)
        let id = watchers.add(watcher)
        return APIResponse(status: 200, content: .watch(id))
    }

    /// Puts what the watch is to begin with into its queue.
    private func start(_ watcher: inout Watcher, _ options: WatchRequestOptions) throws(APIFailure) {
        let storage = storages[watcher.resource.storageKey] ?? ObjectStorage()
        let revision = options.revision ?? 0
        let sendsState = options.sendInitialEvents ?? (revision == 0)
        if options.sendInitialEvents == true, revision > resourceVersion { throw tooLarge(revision) }
        watcher.startRevision = revision
        if sendsState {
            watcher.startRevision = resourceVersion
            for entry in storage.entries(namespace: watcher.namespace) where watcher.selects(entry) {
                watcher.pending.append(.change("ADDED", entry))
            }
            if options.sendInitialEvents == true, options.allowsBookmarks {
                watcher.pending.append(.bookmark(revision: resourceVersion, endsInitialEvents: true))
            }
        } else if revision == 0 {
            watcher.startRevision = resourceVersion
        } else if let changes = storage.changes(after: revision) {
            for change in changes {
                if let event = watcher.event(for: change) { watcher.pending.append(event) }
            }
        } else {
            let failure = APIFailure.expired(
                "too old resource version: \(revision) (\(storage.compactedRevision))")
            if self.options.refusesExpiredWatches { throw failure }
            watcher.pending = [.failure(failure)]
            watcher.isEnded = true
        }
    }
}

private struct WatchRequestOptions {
    var revision: UInt64?
    var allowsBookmarks: Bool
    var sendInitialEvents: Bool?
    var timeoutSeconds: Int?

    init(_ context: RequestContext) throws(APIFailure) {
        revision = try context.revision()
        allowsBookmarks = context.target.flag("allowWatchBookmarks")
        if context.target.value("sendInitialEvents") != nil {
            sendInitialEvents = context.target.flag("sendInitialEvents")
        }
        timeoutSeconds = try context.integer("timeoutSeconds").flatMap { $0 > 0 ? $0 : nil }
        let match = context.target.value("resourceVersionMatch")
        if sendInitialEvents != nil, match != "NotOlderThan" {
            throw ListPage.invalid(
                "resourceVersionMatch", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan")
        }
        if sendInitialEvents == nil, match != nil {
            throw ListPage.invalid(
                "resourceVersionMatch",
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided")
        }
    }
}
