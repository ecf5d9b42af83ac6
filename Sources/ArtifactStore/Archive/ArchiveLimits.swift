/// How much an archive may unpack to.
public struct ArchiveLimits: Sendable, Hashable {
    /// The most entries of all kinds.
    public var entries: Int
    /// The most bytes of all files together.
    public var bytes: Int

    public init(entries: Int = 1_000_000, bytes: Int = 1 << 40) {
        self.entries = entries
        self.bytes = bytes
    }
}
