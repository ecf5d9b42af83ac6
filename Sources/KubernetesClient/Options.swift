import JSON

/// What to list.
public struct ListOptions: Sendable, Hashable {
    /// `app=web,tier!=cache`; nil for all objects.
    public var labelSelector: String?
    /// `metadata.name=web`; nil for all objects.
    public var fieldSelector: String?
    /// Objects per page; nil lets the server send all at once.
    public var limit: Int?
    /// Of the page before.
    public var continueToken: String?
    /// How new the answer must be; nil for the newest, `0` for any.
    public var resourceVersion: String?
    /// `Exact` or `NotOlderThan`; goes with `resourceVersion`.
    public var resourceVersionMatch: String?

    /// All that is left out is left to the server.
    public init(
        labelSelector: String? = nil, fieldSelector: String? = nil, limit: Int? = nil, continueToken: String? = nil,
        resourceVersion: String? = nil, resourceVersionMatch: String? = nil
    ) {
        self.labelSelector = labelSelector
        self.fieldSelector = fieldSelector
        self.limit = limit
        self.continueToken = continueToken
        self.resourceVersion = resourceVersion
        self.resourceVersionMatch = resourceVersionMatch
    }
}

/// A list, or a page of one.
public struct ObjectList: Sendable, Hashable {
    /// Of the list as a whole: where a watch goes on.
    public var resourceVersion: String
    /// Every item carries its `apiVersion` and `kind`, which the server leaves out of lists.
    public var items: [JSONValue]
    /// Fetches the next page; nil on the last one.
    public var continueToken: String?

    /// A page by its parts.
    public init(resourceVersion: String, items: [JSONValue], continueToken: String? = nil) {
        self.resourceVersion = resourceVersion
        self.items = items
        self.continueToken = continueToken
    }
}

/// What to watch, and from where.
public struct WatchOptions: Sendable, Hashable {
    /// The version to begin after; "" or "0" begins with synthetic ADDED events.
    public var resourceVersion: String
    /// `app=web,tier!=cache`; nil for all objects.
    public var labelSelector: String?
    /// `metadata.name=web`; nil for all objects.
    public var fieldSelector: String?
    /// Whether the server may tell how far it has got while nothing happens.
    public var allowBookmarks: Bool
    /// The server ends the watch after about this time.
    public var timeoutSeconds: Int
    /// Begin with the present state, ended by a bookmark (KEP-3157).
    public var sendInitialEvents: Bool
    /// The watch fails when nothing, bookmarks included, arrives for this time; nil means five seconds more than
    /// `timeoutSeconds`.
    public var idleTimeout: Duration?
    /// The watch fails when no event comes for this time from a server that sends bookmarks, which it does about every
    /// minute; nil leaves it at `idleTimeout`.
    public var stallTimeout: Duration?
    /// The server is known to send bookmarks; otherwise `stallTimeout` counts from the watch's first one on.
    public var expectsBookmarks: Bool
    /// The server waits for the reader, for which the watch needs a connection of its own. Otherwise a watch that is read
    /// more slowly than it comes may end, with what was not read yet dropped (`HTTPTransportError.Code.outrun`).
    public var waitsForReader: Bool

    /// All that is left out is left to the server.
    public init(
        resourceVersion: String, labelSelector: String? = nil, fieldSelector: String? = nil,
        allowBookmarks: Bool = true, timeoutSeconds: Int = 300, sendInitialEvents: Bool = false,
        idleTimeout: Duration? = nil, stallTimeout: Duration? = nil, expectsBookmarks: Bool = false,
        waitsForReader: Bool = false
    ) {
        self.resourceVersion = resourceVersion
        self.labelSelector = labelSelector
        self.fieldSelector = fieldSelector
        self.allowBookmarks = allowBookmarks
        self.timeoutSeconds = timeoutSeconds
        self.sendInitialEvents = sendInitialEvents
        self.idleTimeout = idleTimeout
        self.stallTimeout = stallTimeout
        self.expectsBookmarks = expectsBookmarks
        self.waitsForReader = waitsForReader
    }
}

/// How to delete.
public struct DeleteOptions: Sendable, Hashable {
    /// What becomes of the objects that it owns.
    public enum Propagation: String, Sendable, Hashable {
        case background = "Background"
        case foreground = "Foreground"
        case orphan = "Orphan"
    }

    /// Only the object with this uid is deleted; another one of that name answers 409.
    public var uid: String?
    /// Only this version of the object is deleted.
    public var resourceVersion: String?
    /// What becomes of dependents. The default of the server differs by kind: it orphans the pods of a Job.
    public var propagation: Propagation?
    /// How long a pod may take to end; nil for what it says itself.
    public var gracePeriodSeconds: Int?
    /// Everything but the write itself.
    public var dryRun: Bool

    /// All that is left out is left to the server.
    public init(
        uid: String? = nil, resourceVersion: String? = nil, propagation: Propagation? = nil,
        gracePeriodSeconds: Int? = nil, dryRun: Bool = false
    ) {
        self.uid = uid
        self.resourceVersion = resourceVersion
        self.propagation = propagation
        self.gracePeriodSeconds = gracePeriodSeconds
        self.dryRun = dryRun
    }

    var json: JSONValue {
        var result: JSONValue = ["apiVersion": "v1", "kind": "DeleteOptions"]
        if let uid { result["preconditions", "uid"] = .string(uid) }
        if let resourceVersion { result["preconditions", "resourceVersion"] = .string(resourceVersion) }
        if let propagation { result["propagationPolicy"] = .string(propagation.rawValue) }
        if let gracePeriodSeconds { result["gracePeriodSeconds"] = JSONValue(gracePeriodSeconds) }
        if dryRun { result["dryRun"] = ["All"] }
        return result
    }
}

/// How the server treats a write.
public struct WriteOptions: Sendable, Hashable {
    /// What becomes of fields that the schema does not know.
    public enum FieldValidation: String, Sendable, Hashable {
        case ignore = "Ignore"
        case warn = "Warn"
        case strict = "Strict"
    }

    /// Everything is checked and answered, nothing is stored.
    public var dryRun: Bool
    /// What becomes of fields that the kind does not know; nil for the server's rule.
    public var fieldValidation: FieldValidation?

    /// As the server does by itself, unless told.
    public init(dryRun: Bool = false, fieldValidation: FieldValidation? = nil) {
        self.dryRun = dryRun
        self.fieldValidation = fieldValidation
    }
}
