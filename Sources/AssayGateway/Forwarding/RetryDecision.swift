import NIOHTTP1

/// Whether a request that a pod has not answered may be given to another one.
///
/// A pod may have acted on a request of which it got a byte. So what was sent is sent again only where acting twice is as
/// good as once: the methods that are safe by RFC 9110 §9.2.1, and all of them where the model says `retry: Idempotent`.
package struct RetryDecision: Sendable {
    /// The method does the same no harm twice.
    var isSafe: Bool
    /// `retry: Idempotent`.
    var isIdempotent: Bool
    /// A byte of it was given to a connection.
    var wasSent: Bool
    /// All that was sent can be sent again.
    var canReplay: Bool
    /// The client has seen a byte of an answer.
    var answerHasBegun: Bool
    /// How often it was sent in vain before this time.
    var retries: Int

    package init(
        isSafe: Bool, isIdempotent: Bool, wasSent: Bool, canReplay: Bool, answerHasBegun: Bool, retries: Int
    ) {
        self.isSafe = isSafe
        self.isIdempotent = isIdempotent
        self.wasSent = wasSent
        self.canReplay = canReplay
        self.answerHasBegun = answerHasBegun
        self.retries = retries
    }

    init(
        method: HTTPMethod, isIdempotent: Bool, wasSent: Bool, canReplay: Bool, answerHasBegun: Bool, retries: Int
    ) {
        self.init(
            isSafe: [.GET, .HEAD, .OPTIONS, .TRACE].contains(method), isIdempotent: isIdempotent, wasSent: wasSent,
            canReplay: canReplay, answerHasBegun: answerHasBegun, retries: retries)
    }

    /// So many times a request is sent again.
    static let limit = 2

    package var isAllowed: Bool {
        if answerHasBegun { return false }
        if !wasSent { return true }
        if !canReplay || retries >= Self.limit { return false }
        return isHarmless
    }

    /// Acting on it twice is as good as once.
    var isHarmless: Bool { isIdempotent || isSafe }
}
