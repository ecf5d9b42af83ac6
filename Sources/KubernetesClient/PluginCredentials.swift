import Concurrency
import KubernetesModel

/// Credentials from a program: kept until shortly before they expire, or until the server refuses them.
///
/// However many requests need them at once, the program runs once; and not again within ten seconds.
public final class PluginCredentials: Sendable, Hashable {
    struct Credential: Sendable {
        var answer: ExecPlugin.Answer
        /// How often the program had run by then.
        var run: UInt64
    }

    private struct State {
        var credential: Credential?
        /// By the monotonic clock; nil: never.
        var renewAt: Duration?
        var expiresAt: Duration?
        var failure: CredentialError?
        var triedAt: Duration?
        var runs: UInt64 = 0

        func triedLately(_ now: Duration) -> Bool { triedAt.map { now - $0 < PluginCredentials.pause } ?? false }

        func isExpired(_ now: Duration) -> Bool { expiresAt.map { now >= $0 } ?? false }

        /// What is to be used without running the program; nil where it must run.
        func settled(_ now: Duration) -> Result<Credential, CredentialError>? {
            let isDue = renewAt.map { now >= $0 } ?? false
            if let credential, !isDue { return .success(credential) }
            guard triedLately(now) else { return nil }
            if let credential, !isExpired(now) { return .success(credential) }
            return failure.map { .failure($0) }
        }
    }

    /// Between two runs, so that a server that refuses all credentials does not keep a program running for ever.
    static let pause: Duration = .seconds(10)
    /// How long a run may take.
    static let deadline: Duration = .seconds(60)
    /// How long before they expire credentials are renewed, at most; those that live shortly, in their last fifth.
    static let margin: Duration = .seconds(60)

    private let plugin: ExecPlugin
    private let runner: any CredentialPluginRunner
    private let time: any TimeSource
    private let turnstile = Turnstile()
    private let state = Locked(State())

    init(_ plugin: ExecPlugin, runner: any CredentialPluginRunner, time: any TimeSource) {
        self.plugin = plugin
        self.runner = runner
        self.time = time
    }

    /// The same plugin with the same memory.
    public static func == (left: PluginCredentials, right: PluginCredentials) -> Bool { left === right }
    /// By identity.
    public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }

    func credential() async throws(CredentialError) -> Credential {
        let now = time.monotonicNow()
        if let settled = state.withLock({ $0.settled(now) }) { return try settled.get() }
        return try await run { state, now in state.settled(now) }
    }

    /// After the server refused `refused`; the same once more where there is no other.
    func credential(insteadOf refused: Credential) async throws(CredentialError) -> Credential {
        try await run { state, now in
            guard let credential = state.credential else { return state.settled(now) }
            return credential.run != refused.run || state.triedLately(now) ? .success(credential) : nil
        }
    }

    private func run(
        unless settled: (State, Duration) -> Result<Credential, CredentialError>?
    ) async throws(CredentialError) -> Credential {
        guard await turnstile.enter() else { throw .cancelled }
        defer { turnstile.leave() }
        let now = time.monotonicNow()
        if let settled = state.withLock({ settled($0, now) }) { return try settled.get() }
        do throws(CredentialError) {
            return record(try plugin.answer(in: try await output()))
        } catch {
            if error.isCancelled { throw error }
            let now = time.monotonicNow()
            return try state.withLock { state throws(CredentialError) -> Credential in
                state.failure = error
                state.triedAt = now
                // What is there serves as long as it lives.
                guard let credential = state.credential, !state.isExpired(now), state.renewAt != nil else {
                    throw error
                }
                return credential
            }
        }
    }

    private func record(_ answer: ExecPlugin.Answer) -> Credential {
        let (now, wallNow) = (time.monotonicNow(), time.wallNow())
        return state.withLock { state in
            state.runs += 1
            state.triedAt = now
            state.failure = nil
            state.expiresAt = nil
            state.renewAt = nil
            if let expires = answer.expires {
                let lifetime = max(.zero, expires.sinceEpoch - wallNow)
                state.expiresAt = now + lifetime
                state.renewAt = now + max(Self.pause, lifetime - min(Self.margin, lifetime / 5))
            }
            let credential = Credential(answer: answer, run: state.runs)
            state.credential = credential
            return credential
        }
    }

    private func output() async throws(CredentialError) -> [UInt8] {
        let (plugin, runner, time) = (plugin, runner, time)
        let result = await withTaskGroup(of: Result<[UInt8], CredentialError>.self) { group in
            group.addTask {
                do throws(CredentialPluginFailure) {
                    return .success(try await runner.run(plugin.invocation))
                } catch {
                    return .failure(plugin.failure(error))
                }
            }
            group.addTask {
                do {
                    try await time.sleep(for: Self.deadline)
                    return .failure(plugin.failure("it took longer than \(Self.deadline) and was ended"))
                } catch {
                    return .failure(.cancelled)
                }
            }
            defer { group.cancelAll() }
            return await group.next() ?? .failure(.cancelled)
        }
        // Whichever child noticed the cancellation first.
        if Task.isCancelled { throw .cancelled }
        return try result.get()
    }
}
