import KubernetesModel

/// A ``WorkQueue`` at one moment, for people.
public struct WorkQueueReport: Sendable {
    /// A key whose latest attempt failed.
    public struct Failing: Sendable, Hashable {
        /// Which key.
        public var key: ObjectKey
        /// In a row.
        public var failures: Int
        /// Of the latest failure, cut to 500 bytes.
        public var error: String
        /// How long until the next attempt; nil where none is planned, or while one goes on.
        public var next: Duration?
    }

    /// Keys that wait in line.
    public var ready: Int
    /// Keys that wait for their time.
    public var delayed: Int
    /// Keys in work, and for how long; the longest first.
    public var running: [(key: ObjectKey, duration: Duration)]
    /// At most 256; those that failed most come first.
    public var failing: [Failing]
    /// Whether the queue takes no key any more.
    public var isShutDown: Bool
}
