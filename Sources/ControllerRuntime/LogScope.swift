import Concurrency
import Logging

/// What every line says that is logged by a task and its children, whichever logger they use: for example which object
/// is reconciled.
///
/// ``StructuredLogHandler`` writes it; other handlers do where ``metadataProvider`` is theirs.
public final class LogScope: Sendable {
    @TaskLocal private static var current: LogScope?

    private let metadata: Locked<Logger.Metadata>

    /// What `metadata` says, with nothing of any scope around.
    public init(_ metadata: Logger.Metadata = [:]) { self.metadata = Locked(metadata) }

    /// What the innermost scope of this task says; empty outside of all.
    public static var metadata: Logger.Metadata { current?.metadata.withLock { $0 } ?? [:] }

    /// For loggers whose handler is not ``StructuredLogHandler``.
    public static let metadataProvider = Logger.MetadataProvider { metadata }

    /// Adds to what the rest of the innermost scope says, for example the generation once it is known. Outside of all
    /// scopes this does nothing.
    public static func note(_ key: String, _ value: Logger.MetadataValue) { current?[key] = value }

    /// A value of the scope.
    public subscript(key: String) -> Logger.MetadataValue? {
        get { metadata.withLock { $0[key] } }
        set { metadata.withLock { $0[key] = newValue } }
    }

    /// A scope of its own that says this too.
    public func with(_ more: Logger.Metadata) -> LogScope {
        LogScope(metadata.withLock { $0 }.merging(more) { $1 })
    }

    /// Runs `body` inside of the scope.
    public func around(_ body: () async -> Void) async {
        await Self.$current.withValue(self) { await body() }
    }
}

/// Names each reconcile of a controller: when the controller was made, in seconds, and a running number.
final class ReconcileIDs: Sendable {
    private let prefix: String
    private let last = Locked<UInt64>(0)

    init(startedAt: Duration) { prefix = String(startedAt.components.seconds, radix: 16) }

    func next() -> String {
        let number = last.withLock { last in
            last += 1
            return last
        }
        return "\(prefix)-\(number)"
    }
}
