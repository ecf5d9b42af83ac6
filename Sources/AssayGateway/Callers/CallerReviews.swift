import AssayCore
import Concurrency
import KubernetesClient
import KubernetesModel
import Logging

/// Whose a token is, as the API server has said.
public enum CallerVerdict: Sendable, Hashable {
    case account(ReviewedAccount)
    /// It is nobody's, or for something else.
    case nobody
    /// It could not be found out; seconds after which to try again.
    case unavailable(retryAfter: Int)
}

/// Finds out who calls.
public protocol CallerReviews: Sendable {
    /// What is known of a token without asking; nil where it must be asked.
    func remembered(_ token: String) -> CallerVerdict?

    /// - Parameter namespace: of the model that is called. What is tried against the models of one namespace does not keep
    ///   others from being asked.
    func review(_ token: String, for namespace: String) async -> CallerVerdict
}

/// Asks the API server, by TokenReviews.
public struct ClientCallerReviews: CallerReviews {
    private let reviews: TokenReviews
    private let logger: Logger
    private let complaint = Locked<String?>(nil)

    /// - Parameter client: with the right to create `tokenreviews`.
    public init(client: KubernetesClient, time: any TimeSource, logger: Logger) {
        var limits = TokenReviews.Limits()
        limits.reviewsOfGroup = 16
        limits.rate = 20
        limits.burst = 200
        limits.timeout = .seconds(5)
        reviews = TokenReviews(
            client: client, audience: CallerGate.audience, fieldManager: FieldManager.scaler, limits: limits,
            time: time)
        self.logger = logger
    }

    public func remembered(_ token: String) -> CallerVerdict? { reviews.remembered(token).map(verdict) }

    public func review(_ token: String, for namespace: String) async -> CallerVerdict {
        let answer = await reviews.account(of: token, group: namespace)
        tell(answer)
        return verdict(answer)
    }

    private func verdict(_ answer: TokenReviews.Answer) -> CallerVerdict {
        switch answer {
        case .account(let account): .account(account)
        case .nobody: .nobody
        case .busy: .unavailable(retryAfter: 1)
        case .failed(let error): .unavailable(retryAfter: max(1, Int((error.retryAfter ?? .seconds(5)) / .seconds(1))))
        }
    }

    /// Says what is wrong once, and when it is over.
    private func tell(_ answer: TokenReviews.Answer) {
        let problem: String?
        switch answer {
        case .account, .nobody: problem = nil
        case .busy: return
        case .failed(let error): problem = "\(error)"
        }
        let isNews = complaint.withLock { known in
            defer { known = problem }
            return known != problem
        }
        guard isNews else { return }
        if let problem {
            logger.error("tokens cannot be reviewed, so nobody new is let in", metadata: ["error": "\(problem)"])
        } else {
            logger.info("tokens are reviewed again")
        }
    }
}
