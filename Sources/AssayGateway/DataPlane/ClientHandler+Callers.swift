import KubernetesModel
import NIOCore
import NIOHTTP1

/// Asks for a token to be reviewed.
struct ReviewRequest: Sendable {
    var token: String
    var namespace: String
    /// Told what came of it, on any thread.
    var done: @Sendable (CallerVerdict) -> Void
}

/// Who calls is found out before a request counts as one, is held, or wakes anything.
extension ClientHandler {
    /// Lets a request in, where whoever sent it may call.
    func authenticate(_ exchange: Exchange, by rule: CallerRule) {
        let decision = CallerGate.decide(
            exchange.head.headers, by: rule, in: exchange.namespace, now: loop.ports.callers.now(),
            remembered: loop.ports.callers.remembered)
        switch decision {
        case .admitted(let name): admit(exchange, as: name)
        case .refused(let answer): deny(answer)
        case .ask(let token): ask(whose: token, exchange)
        }
    }

    private func ask(whose token: String, _ exchange: Exchange) {
        guard loop.beginReview() else {
            return deny(GatewayAnswer(503, "too many wait to be let in", retryAfter: 1))
        }
        exchange.isReviewed = true
        timer.wait(for: .review)
        let (eventLoop, bound) = (loop.loop, NIOLoopBound((handler: self, exchange: exchange), eventLoop: loop.loop))
        loop.ports.callers.review(
            ReviewRequest(token: token, namespace: exchange.namespace) { verdict in
                eventLoop.execute {
                    let (handler, exchange) = bound.value
                    handler.reviewed(exchange, verdict)
                }
            })
    }

    private func reviewed(_ asked: Exchange, _ verdict: CallerVerdict) {
        loop.endReview()
        // The client may be gone, or have been told that it took too long.
        guard let exchange, exchange === asked, case .exchange = stage else { return }
        switch CallerGate.decide(verdict, in: exchange.namespace) {
        case .admitted(let name): admit(exchange, as: name)
        case .refused(let answer): deny(answer)
        case .ask: deny(GatewayAnswer(503, "who calls cannot be looked up now", retryAfter: 1))
        }
    }

    private func admit(_ exchange: Exchange, as caller: String) {
        exchange.caller = caller
        admit(exchange)
    }

    /// Nobody has said in time who calls.
    func reviewTookTooLong() {
        deny(GatewayAnswer(503, "who calls cannot be looked up now", retryAfter: 5))
    }

    private func deny(_ reason: GatewayAnswer) {
        guard let exchange else { return }
        exchange.model.shared.countDenied(status: reason.status)
        answer(reason)
    }
}
