import Concurrency

/// How long a watch's reader waits for an event.
struct WatchPatience: Sendable {
    var time: any TimeSource
    /// In any case: drops of a line that never ends keep a connection alive, but are no event.
    var limit: Duration
    /// From a server that sends bookmarks, whose silence means that the connection is dead though nobody has said so.
    var withBookmarks: Duration?
    var hasBookmarks: Bool

    /// The time that a reader who began to wait then has left, where a timer is to bound it. Without bookmarks silence is
    /// bounded by the transport, and drops are when they arrive.
    func timeLeft(since began: Duration) -> Duration? {
        guard hasBookmarks, let withBookmarks else { return nil }
        return max(.zero, began + withBookmarks - time.monotonicNow())
    }

    func isExhausted(since began: Duration) -> Bool { time.monotonicNow() - began >= limit }
}
