import JSON
import KubernetesModel

extension APIServer {
    func get(_ request: ResourceRequest, _ context: RequestContext) throws(APIFailure) -> APIResponse {
        if let subresource = request.subresource { return try readSubresource(subresource, request, context) }
        let presenter = try Presenter(request.resource, context)
        if let minimum = try context.revision(), minimum > resourceVersion { throw tooLarge(minimum) }
        let entry = try existing(request)
        return APIResponse(status: 200, content: .bytes(presenter.bytes(entry)))
    }

    func list(_ request: ResourceRequest, _ context: RequestContext) throws(APIFailure) -> APIResponse {
        let presenter = try Presenter(request.resource, context, isList: true)
        let page = try ListPage(request, context)
        let (all, revision) = try entries(for: page, request)
        let matching = ObjectStorage.slice(all, namespace: request.namespace, after: page.startAfter)
        var selected: [StoredEntry] = []
        var remaining = 0
        var isTruncated = false
        for entry in matching where page.selects(entry, request.resource) {
            if let limit = page.limit, selected.count == limit {
                isTruncated = true
                guard page.selectsEverything else { break }
                remaining += 1
            } else {
                selected.append(entry)
            }
        }
        var metadata: JSONValue = ["resourceVersion": .string(String(revision))]
        if isTruncated, let last = selected.last {
            metadata["continue"] = .string(ContinueToken(revision: revision, lastKey: last.key).text)
            if page.selectsEverything { metadata["remainingItemCount"] = JSONValue(remaining) }
        }
        return APIResponse(status: 200, content: .bytes(presenter.list(selected, metadata: metadata)))
    }

    /// The objects that a page is cut from, and the version that the list has.
    private func entries(
        for page: ListPage, _ request: ResourceRequest
    ) throws(APIFailure) -> ([StoredEntry], UInt64) {
        let storage = storages[request.resource.storageKey] ?? ObjectStorage()
        if let revision = page.snapshotRevision {
            if revision > resourceVersion { throw tooLarge(revision) }
            if let snapshot = storage.snapshot(at: revision) { return (snapshot, revision) }
            guard let last = page.startAfter else {
                throw .expired("The resourceVersion for the provided list is too old.")
            }
            var failure = APIFailure.expired(
                "The provided continue parameter is too old to display a consistent list result. You can start a new "
                    + "list without the continue parameter, or use the continue token in this response to retrieve "
                    + "the remainder of the results. Continuing with the provided token results in an inconsistent "
                    + "list - objects that were created, modified, or deleted between the time the first chunk was "
                    + "returned and now may show up in the list.")
            failure.continueToken = ContinueToken(revision: nil, lastKey: last).text
            throw failure
        }
        if let minimum = page.minimumRevision, minimum > resourceVersion { throw tooLarge(minimum) }
        return (storage.entries, resourceVersion)
    }

    func tooLarge(_ revision: UInt64) -> APIFailure {
        var failure = APIFailure(
            504, "Timeout", "Too large resource version: \(revision), current: \(resourceVersion)")
        failure.causes = [
            .init(reason: "ResourceVersionTooLarge", message: "Too large resource version", field: "")
        ]
        failure.retryAfterSeconds = 1
        return failure
    }
}

/// Which part of which version of a resource's objects a list is.
struct ListPage: Sendable {
    var labels: LabelSelector
    var fields: FieldSelector
    var limit: Int?
    /// The last key of the page before.
    var startAfter: String?
    /// The list must show exactly this version.
    var snapshotRevision: UInt64?
    /// The list must show this version or a later one.
    var minimumRevision: UInt64?

    var selectsEverything: Bool { labels.isEmpty && fields.isEmpty }

    func selects(_ entry: StoredEntry, _ resource: ServedResource) -> Bool {
        labels.matches(entry.labels) && (fields.isEmpty || fields.matches(resource.presented(entry.json)))
    }

    init(_ request: ResourceRequest, _ context: RequestContext) throws(APIFailure) {
        labels = try context.labelSelector()
        fields = try context.fieldSelector(request.resource)
        _ = try context.integer("timeoutSeconds")
        limit = try context.integer("limit").flatMap { $0 > 0 ? $0 : nil }
        let match = context.target.value("resourceVersionMatch")
        let revision = try context.revision()
        if let text = context.target.value("continue") {
            if match != nil {
                throw Self.invalid("resourceVersionMatch", "resourceVersionMatch is forbidden for continue")
            }
            if let revision, revision != 0 {
                throw .badRequest("specifying resource version is not allowed when using continue")
            }
            guard let token = ContinueToken(text) else {
                throw .badRequest("continue key is not valid: \(text)")
            }
            startAfter = token.lastKey
            snapshotRevision = token.revision
            return
        }
        switch (match, revision) {
        case (nil, nil): break
        case (nil, let revision?):
            minimumRevision = revision
            // With a limit the list is read from the store at exactly that version; version 0 has no limit at all.
            if revision == 0 { limit = nil } else if limit != nil { snapshotRevision = revision }
        case (_?, nil):
            throw Self.invalid(
                "resourceVersionMatch", "resourceVersionMatch is forbidden unless resourceVersion is provided")
        case ("NotOlderThan"?, let revision?):
            minimumRevision = revision
            if revision == 0 { limit = nil }
        case ("Exact"?, let revision?):
            guard revision > 0 else {
                throw Self.invalid(
                    "resourceVersionMatch", "resourceVersionMatch \"Exact\" is forbidden for resourceVersion \"0\"")
            }
            snapshotRevision = revision
        case (let match?, _):
            throw Self.invalid([
                .notSupported("resourceVersionMatch", .string(match), ["Exact", "NotOlderThan", ""])
            ])
        }
    }

    static func invalid(_ field: String, _ message: String) -> APIFailure { invalid([.forbidden(field, message)]) }

    static func invalid(_ errors: [FieldError]) -> APIFailure {
        let type = ResourceType(group: "meta.k8s.io", version: "v1", plural: "listoptions", kind: "ListOptions")
        return .invalid(type, "", errors)
    }
}

/// Where the next page begins, and in which version; without one, in whichever is current then.
struct ContinueToken: Sendable, Hashable {
    var revision: UInt64?
    var lastKey: String

    init(revision: UInt64?, lastKey: String) {
        self.revision = revision
        self.lastKey = lastKey
    }

    init?(_ text: String) {
        guard let bytes = Base64.decode(text) else { return nil }
        let json: JSONValue
        do {
            json = try JSONValue(parsing: bytes)
        } catch {
            return nil
        }
        guard let start = json["start"]?.string, let number = json["rv"]?.integer else { return nil }
        revision = UInt64(exactly: number)
        lastKey = start
    }

    var text: String {
        let json: JSONValue = [
            "v": "meta.k8s.io/v1", "rv": .integer(revision.map { Int64(clamping: $0) } ?? -1),
            "start": .string(lastKey),
        ]
        return Base64.encode(json.serializedBytes())
    }
}
