import AssayCore
import Concurrency
import JSON
import KubernetesClient
import KubernetesModel
import Logging
import OpenSSL

/// Whose a token is, by the API server's word, which is kept for a while.
final class PushReviews: Sendable {
    /// How long the end of a pod may go unnoticed here; that of its attempt is in the caches.
    private static let lifetime: Duration = .seconds(60)
    /// Of a refusal: so long that a pod which tries in vain costs little.
    private static let refusalLifetime: Duration = .seconds(5)
    private static let mostEntries = 20_000
    /// Reviews at a time; more would be a load on the API server that strangers can make.
    private static let mostReviews = 64

    private typealias Review = Task<Result<PushIdentity?, KubernetesError>, Never>

    private enum Entry: Sendable {
        case known(PushIdentity?, until: Duration)
        case asking(Review)
    }

    private struct State {
        /// By the digests of tokens, which themselves are not kept.
        var entries: [[UInt8]: Entry] = [:]
        var underWay = 0
    }

    private enum Answer {
        case known(PushIdentity?)
        case wait(Review)
        case busy
    }

    private let client: KubernetesClient
    private let time: any TimeSource
    private let complaints: PushComplaints
    private let state = Locked(State())

    init(client: KubernetesClient, time: any TimeSource, complaints: PushComplaints) {
        self.client = client
        self.time = time
        self.complaints = complaints
    }

    /// How many are remembered.
    var count: Int { state.withLock { $0.entries.count } }

    func identity(of token: String) async throws(PushRefusal) -> PushIdentity {
        let digest = sha256(Array(token.utf8))
        let identity: PushIdentity?
        switch find(digest, token) {
        case .known(let known): identity = known
        case .busy: throw .unavailable("too many tokens are being reviewed", retryAfter: .seconds(1))
        case .wait(let review):
            switch await review.value {
            case .success(let found): identity = found
            case .failure(let error):
                complaints.tell("review", "tokens cannot be reviewed, so nobody can push", "\(error)")
                throw .unavailable("the token cannot be reviewed now", retryAfter: error.retryAfter ?? .seconds(5))
            }
            complaints.settle("review")
        }
        guard let identity else {
            throw .unauthorized(
                "the token is none of a pod for the audience \(PushChannel.audience), or has expired; read it anew from the "
                    + "file that \(PushChannel.tokenFileVariable) names")
        }
        return identity
    }

    private func find(_ digest: [UInt8], _ token: String) -> Answer {
        let now = time.monotonicNow()
        return state.withLock { state in
            switch state.entries[digest] {
            case .known(let identity, let until) where now < until: return .known(identity)
            case .asking(let review): return .wait(review)
            default: break
            }
            guard state.underWay < Self.mostReviews else { return .busy }
            if state.entries.count >= Self.mostEntries { Self.sweep(&state, now) }
            state.underWay += 1
            // Beside the request that asked first, for it may be given up while others wait for the same answer.
            let review = Review { await self.review(digest, token) }
            state.entries[digest] = .asking(review)
            return .wait(review)
        }
    }

    private static func sweep(_ state: inout State, _ now: Duration) {
        func isCurrent(_ entry: Entry) -> Bool {
            if case .known(_, let until) = entry { now < until } else { true }
        }
        state.entries = state.entries.filter { isCurrent($0.value) }
        guard state.entries.count >= mostEntries else { return }
        // Each costs one more review, and no more.
        state.entries = state.entries.filter { if case .asking = $0.value { true } else { false } }
    }

    private func review(_ digest: [UInt8], _ token: String) async -> Result<PushIdentity?, KubernetesError> {
        let asked = time.monotonicNow()
        let result: Result<PushIdentity?, KubernetesError>
        do throws(KubernetesError) {
            let review: JSONValue = [
                "spec": ["token": .string(token), "audiences": [.string(PushChannel.audience)]]
            ]
            let answer = try await client.create(.tokenReviews, review, fieldManager: FieldManager.spec)
            result = .success(PushIdentity(review: answer, audience: PushChannel.audience))
        } catch {
            result = .failure(error)
        }
        state.withLock { state in
            state.underWay -= 1
            guard case .success(let identity) = result else {
                state.entries[digest] = nil
                return
            }
            let lifetime = identity == nil ? Self.refusalLifetime : min(Self.lifetime, left(of: token) ?? Self.lifetime)
            state.entries[digest] = .known(identity, until: asked + lifetime)
        }
        return result
    }

    /// How long a token holds by its own word, which the API server has just confirmed.
    private func left(of token: String) -> Duration? {
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3 else { return nil }
        let digits = String(parts[1]).replacing("-", with: "+").replacing("_", with: "/")
        let padded = digits + String(repeating: "=", count: (4 - digits.utf8.count % 4) % 4)
        guard let bytes = Base64.decode(padded) else { return nil }
        do {
            guard let end = try JSONValue(parsing: bytes)["exp"]?.integer else { return nil }
            return .seconds(end) - time.wallNow()
        } catch {
            // Not in the form that has an end.
            return nil
        }
    }
}
