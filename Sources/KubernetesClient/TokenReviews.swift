import Concurrency
import JSON
import KubernetesModel
import OpenSSL

/// Whose bearer tokens are, by the API server's word (`TokenReview`), which is kept for a while.
///
/// Of tokens that are remembered only the digests are kept. However many ask about one at a time, it is reviewed once.
public final class TokenReviews: Sendable {
    /// What is known of a token.
    public enum Answer: Sendable, Hashable {
        case account(ReviewedAccount)
        /// It is nobody's, or not for the audience.
        case nobody
        /// So much is being reviewed that this one was not.
        case busy
        /// The API server did not say.
        case failed(KubernetesError)
    }

    /// How long answers are believed, and how many reviews there may be.
    public struct Limits: Sendable, Hashable {
        /// For how long the end of an account or of a pod may go unnoticed. No token is believed beyond its own end.
        public var lifetime: Duration = .seconds(60)
        /// Of a refusal: so long that whoever tries in vain costs little.
        public var refusalLifetime: Duration = .seconds(5)
        /// How many tokens are remembered.
        public var entries = 20_000
        /// Reviews at a time; more would be a load on the API server that strangers can make.
        public var reviews = 64
        /// Of these for one group of askers.
        public var reviewsOfGroup = 64
        /// Reviews in a second for one group of askers, in the long run; nil for as many as there are.
        public var rate: Double?
        /// For one answer; nil for as long as the client waits.
        public var timeout: Duration?
        /// How many more there may be at once after a time of rest.
        public var burst = 100.0

        /// The defaults.
        public init() {}
    }

    private typealias Review = Task<Answer, Never>

    private enum Entry: Sendable {
        case known(ReviewedAccount?, until: Duration)
        case asking(Review)
    }

    private struct Group {
        var underWay = 0
        /// What is left of the burst, at that moment.
        var credit: Double
        var since: Duration
    }

    private struct State {
        /// By the digests of tokens.
        var entries: [[UInt8]: Entry] = [:]
        var underWay = 0
        var groups: [String: Group] = [:]
    }

    private enum Step {
        case known(Answer)
        case wait(Review)
    }

    /// How many groups are remembered; one that rests is forgotten beyond.
    private static let mostGroups = 1_000

    private let client: KubernetesClient
    private let audience: String
    private let fieldManager: String
    private let limits: Limits
    private let time: any TimeSource
    private let state = Locked(State())

    /// - Parameters:
    ///   - client: with the right to create `tokenreviews`.
    ///   - audience: that tokens must be for.
    ///   - fieldManager: as whom it asks.
    public init(
        client: KubernetesClient, audience: String, fieldManager: String, limits: Limits = .init(),
        time: any TimeSource
    ) {
        self.client = client
        self.audience = audience
        self.fieldManager = fieldManager
        self.limits = limits
        self.time = time
    }

    /// How many are remembered.
    public var count: Int { state.withLock { $0.entries.count } }

    /// What is known without asking: an account, or nobody; nil where it would have to be asked.
    public func remembered(_ token: String) -> Answer? {
        let digest = sha256(Array(token.utf8))
        let now = time.monotonicNow()
        return state.withLock { Self.known(digest, in: $0, now) }
    }

    /// Whose a token is. It is asked about where that is not remembered; others who ask meanwhile get the same answer.
    ///
    /// - Parameter group: of askers, who share what there may be of reviews.
    public func account(of token: String, group: String = "") async -> Answer {
        let digest = sha256(Array(token.utf8))
        switch look(for: digest, token, group) {
        case .known(let answer): return answer
        case .wait(let review): return await review.value
        }
    }

    private static func known(_ digest: [UInt8], in state: State, _ now: Duration) -> Answer? {
        guard case .known(let account, let until) = state.entries[digest], now < until else { return nil }
        return account.map { .account($0) } ?? .nobody
    }

    private func look(for digest: [UInt8], _ token: String, _ group: String) -> Step {
        let now = time.monotonicNow()
        return state.withLock { state in
            if let answer = Self.known(digest, in: state, now) { return .known(answer) }
            if case .asking(let review) = state.entries[digest] { return .wait(review) }
            guard begin(&state, group, now) else { return .known(.busy) }
            if state.entries.count >= limits.entries { sweep(&state, now) }
            // Beside the request that asked first, for it may be given up while others wait for the same answer.
            let review = Review { await self.reviewInTime(digest, token, group) }
            state.entries[digest] = .asking(review)
            return .wait(review)
        }
    }

    /// Takes one more review into account; false where there may be none.
    private func begin(_ state: inout State, _ name: String, _ now: Duration) -> Bool {
        guard state.underWay < limits.reviews else { return false }
        var group = state.groups[name] ?? Group(credit: limits.burst, since: now)
        guard group.underWay < limits.reviewsOfGroup else { return false }
        if let rate = limits.rate {
            group.credit = min(limits.burst, group.credit + (now - group.since) / .seconds(1) * rate)
            group.since = now
            guard group.credit >= 1 else {
                state.groups[name] = group
                return false
            }
            group.credit -= 1
        }
        group.underWay += 1
        state.underWay += 1
        state.groups[name] = group
        return true
    }

    private func end(_ state: inout State, _ name: String) {
        state.underWay -= 1
        state.groups[name]?.underWay -= 1
        if state.groups.count > Self.mostGroups { state.groups = state.groups.filter { $0.value.underWay > 0 } }
    }

    private func sweep(_ state: inout State, _ now: Duration) {
        func isCurrent(_ entry: Entry) -> Bool {
            if case .known(_, let until) = entry { now < until } else { true }
        }
        state.entries = state.entries.filter { isCurrent($0.value) }
        guard state.entries.count >= limits.entries else { return }
        // Each costs one more review, and no more.
        state.entries = state.entries.filter { if case .asking = $0.value { true } else { false } }
    }

    private func reviewInTime(_ digest: [UInt8], _ token: String, _ group: String) async -> Answer {
        guard let timeout = limits.timeout else { return await review(digest, token, group) }
        return await withTaskGroup(of: Answer?.self) { tasks in
            tasks.addTask { await self.review(digest, token, group) }
            tasks.addTask {
                do { try await self.time.sleep(for: timeout) } catch {}
                return nil
            }
            var answer: Answer?
            while let next = await tasks.next() {
                // Whichever it was, the other one ends now; a review that is given up says so.
                tasks.cancelAll()
                if let next { answer = next }
            }
            return answer ?? .busy
        }
    }

    private func review(_ digest: [UInt8], _ token: String, _ group: String) async -> Answer {
        let asked = time.monotonicNow()
        do throws(KubernetesError) {
            let question = ReviewedAccount.question(token: token, audience: audience)
            let review = try await client.create(.tokenReviews, question, fieldManager: fieldManager)
            let account = ReviewedAccount(review: review, audience: audience)
            let lifetime = account == nil ? limits.refusalLifetime : min(limits.lifetime, left(of: token))
            state.withLock { state in
                end(&state, group)
                state.entries[digest] = .known(account, until: asked + lifetime)
            }
            return account.map { .account($0) } ?? .nobody
        } catch {
            state.withLock { state in
                end(&state, group)
                state.entries[digest] = nil
            }
            return .failed(error)
        }
    }

    /// How long a token holds by its own word, which the API server has just confirmed.
    private func left(of token: String) -> Duration {
        TokenClaims(of: token)?.expiry.map { $0 - time.wallNow() } ?? limits.lifetime
    }
}
