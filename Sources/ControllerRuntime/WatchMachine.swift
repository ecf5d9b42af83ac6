import HTTPTransport
import JSON
import KubernetesClient
import KubernetesModel

/// How new a list must be.
public enum ListFreshness: Sendable, Hashable {
    /// As new as etcd: a process that starts again never sees an older state than before. Servers before 1.31 read it from
    /// etcd and decode it once more for every list.
    case newest
    /// What the server's watch cache has, as client-go's informers ask for: many times quicker on servers before 1.31, and
    /// never older than what this process has seen. A restarted process may at first see an older state than before.
    case cached
}

/// How a reflector follows a kind, without any I/O: what to do next, and what each answer means (after kube-rs'
/// `watcher`).
///
/// `empty` lists page by page (`initPage`), then watches from the list's version (`initListed`, `watching`). A watch
/// that ends or fails resumes from the last version heard of; a version too old, and an event that cannot be read, go
/// back to `empty`.
public struct WatchMachine: Sendable {
    /// What is known of the kind.
    public enum State: Sendable, Hashable {
        /// Nothing is known, or what is known cannot be continued.
        case empty
        /// Between two pages of a list.
        case initPage(continueToken: String)
        /// The list is whole, and no watch has been opened yet.
        case initListed(resourceVersion: String)
        case watching(resourceVersion: String)
    }

    /// What to ask the server.
    public enum Step: Sendable, Hashable {
        /// Without a token, the first page; without a limit, all in one piece; without a version, what is newest.
        case list(continueToken: String?, limit: Int?, resourceVersion: String? = nil)
        case watch(resourceVersion: String)
    }

    /// What a failure leads to, for the log.
    public enum Consequence: String, Sendable, Hashable {
        case listAgain = "list again"
        case resume
    }

    /// What is known of the kind.
    public private(set) var state: State = .empty
    /// How long to wait before the next step.
    public private(set) var delay: Duration = .zero
    /// Attempts that failed since one worked.
    public private(set) var consecutiveFailures = 0
    /// The server has sent bookmarks, by which its silence can be told from death.
    public private(set) var hasBookmarks = false
    /// The last watch came faster than it could be read: the next one waits for its reader.
    public private(set) var waitsForReader = false
    private var backoff: Backoff
    private var random: SeededGenerator
    private var heardSinceList = false
    private var tooLarge = 0
    /// Lists in a row that took longer than their token lived. After two a list comes in one piece, which cannot expire.
    private var expiredPages = 0
    private let pageSize: Int
    private let freshness: ListFreshness
    /// The latest version heard of, of whatever list or watch.
    private var latest: String?
    /// The last list from the server's cache failed, or was of no use to the watch after it.
    private var cacheFailed = false

    /// A watch that lasted this long worked, even if nothing happened.
    static let working: Duration = .seconds(10)

    /// - Parameters:
    ///   - backoff: the delays after failures.
    ///   - pageSize: objects per page of a list.
    ///   - freshness: how new a list must be.
    ///   - random: spreads delays and timeouts.
    public init(
        backoff: Backoff = .watch, pageSize: Int = 500, freshness: ListFreshness = .newest, random: SeededGenerator
    ) {
        self.freshness = freshness
        self.backoff = backoff
        self.pageSize = pageSize
        self.random = random
    }

    /// What to ask the server next, after ``delay``.
    public var nextStep: Step {
        switch state {
        case .empty where freshness == .cached && !cacheFailed:
            // Only lists of any version may have a limit: a server's cache does not know pages, and etcd answers instead.
            .list(continueToken: nil, limit: latest == nil ? pageSize : nil, resourceVersion: latest ?? "0")
        case .empty: .list(continueToken: nil, limit: expiredPages < 2 ? pageSize : nil)
        case .initPage(let token): .list(continueToken: token, limit: pageSize)
        case .initListed(let version), .watching(let version): .watch(resourceVersion: version)
        }
    }

    /// A watch's timeout: 5 to 10 minutes, so that many watches do not end at once.
    public mutating func watchTimeoutSeconds() -> Int { Int.random(in: 300...600, using: &random) }

    /// A page arrived. True when it was the last one.
    public mutating func received(page: ObjectList) -> Bool {
        delay = .zero
        if let token = page.continueToken, !token.isEmpty {
            state = .initPage(continueToken: token)
            return false
        }
        state = .initListed(resourceVersion: page.resourceVersion)
        latest = page.resourceVersion
        cacheFailed = false
        heardSinceList = false
        expiredPages = 0
        return true
    }

    /// The server has begun to answer the watch.
    public mutating func opened() {
        delay = .zero
        if case .initListed(let version) = state { state = .watching(resourceVersion: version) }
    }

    /// An event of the watch arrived.
    public mutating func received(_ event: WatchEvent) {
        let version: String?
        switch event {
        case .added(let object), .modified(let object), .deleted(let object):
            version = object["metadata", "resourceVersion"]?.string
        case .bookmark(let resourceVersion, let initialEventsEnd):
            version = resourceVersion
            if !initialEventsEnd { hasBookmarks = true }
        }
        guard let version, !version.isEmpty else { return }
        state = .watching(resourceVersion: version)
        latest = version
        worked()
    }

    private mutating func worked() {
        heardSinceList = true
        tooLarge = 0
        consecutiveFailures = 0
        backoff.reset()
    }

    /// The server ended the watch in good order: resume, at once unless the watch was of no use.
    public mutating func ended(after lasted: Duration, receivedAny: Bool) {
        waitsForReader = false
        if receivedAny || lasted >= Self.working {
            worked()
            delay = .zero
        } else {
            delay = backoff.next(&random)
        }
    }

    /// A list or a watch failed, the latter after it had lasted so long.
    public mutating func failed(_ error: KubernetesError, after lasted: Duration = .zero) -> Consequence {
        waitsForReader = false
        if case .outrun? = error.transportCode {
            // No fault of the server.
            waitsForReader = true
            delay = .zero
            return .resume
        }
        let wasListing: Bool
        switch state {
        case .empty, .initPage: wasListing = true
        case .initListed, .watching: wasListing = false
        }
        if !wasListing, lasted >= Self.working { worked() }
        consecutiveFailures += 1
        let consequence = consequence(of: error, wasListing: wasListing)
        if case .initPage = state, error.isExpired { expiredPages += 1 }
        if state == .empty || (consequence == .listAgain && !heardSinceList) { cacheFailed = true }
        // A version too old is no fault of the server: list at once, but not in a circle.
        let atOnce = !wasListing && error.isExpired && heardSinceList
        if consequence == .listAgain {
            state = .empty
            heardSinceList = false
        }
        delay = atOnce ? .zero : max(backoff.next(&random), error.retryAfter ?? .zero)
        return consequence
    }

    private mutating func consequence(of error: KubernetesError, wasListing: Bool) -> Consequence {
        if error.isExpired { return .listAgain }
        if wasListing {
            // The page may come yet; a token that the server does not take any more never will.
            return error.isInvalid ? .listAgain : .resume
        }
        if case .malformed = error.code { return .listAgain }
        if error.isInvalid || error.isNotFound { return .listAgain }
        guard Self.isTooLargeVersion(error) else { return .resume }
        // The server lags behind what we know, and catches up; unless its data was restored from an older copy.
        tooLarge += 1
        if tooLarge < 6 { return .resume }
        tooLarge = 0
        return .listAgain
    }

    static func isTooLargeVersion(_ error: KubernetesError) -> Bool {
        guard let status = error.status, status.code == 504 else { return false }
        return status.causes.contains { $0.reason == "ResourceVersionTooLarge" }
            || status.message.contains("Too large resource version")
    }
}
