import Concurrency
import JSON

/// What requests carry in `Authorization` at the moment.
///
/// Kubelet rewrites a projected token well before it expires, so an age of 60 s is always fresh enough (client-go uses
/// the same). While a file is missing or empty, as in the moment of its rotation, the token read before stays in use.
final class TokenSource: Sendable {
    static let maximumAge: Duration = .seconds(60)

    /// A value for the field, and what it takes to ask for another.
    struct Issued: Sendable {
        /// Nil: the field is left out.
        var authorization: Secret?
        /// How often the file had been read, or the program run, by then.
        fileprivate var look: UInt64 = 0
        fileprivate var credential: PluginCredentials.Credential?
    }

    private struct Cache {
        var token: Secret?
        var readAt: Duration?
        var looks: UInt64 = 0
    }

    private let credentials: Credentials
    private let time: any TimeSource
    private let cache = Locked(Cache())

    /// - Parameter credentials: whoever they impersonate is not looked at.
    init(_ credentials: Credentials, time: any TimeSource) {
        self.credentials = credentials.parts.credentials
        self.time = time
    }

    func current() async throws(CredentialError) -> Issued {
        switch credentials {
        case .none, .impersonating: return Issued()
        case .token(let token): return Issued(authorization: Self.bearer(token))
        case .basic(let username, let password):
            let pair = Base64.encode(Array("\(username):\(password.revealed)".utf8))
            return Issued(authorization: Secret("Basic \(pair)"))
        case .plugin(let plugin): return Self.issued(try await plugin.credential())
        case .tokenFile(let path):
            let now = time.monotonicNow()
            return try cache.withLock { cache throws(CredentialError) -> Issued in
                if cache.token == nil || cache.readAt.map({ now - $0 >= Self.maximumAge }) ?? true {
                    try Self.read(path, into: &cache, now: now)
                }
                return Issued(authorization: cache.token.map(Self.bearer), look: cache.looks)
            }
        }
    }

    /// Looks again after the server refused `refused`; nil when there is no other than that.
    ///
    /// Of many requests refused together only the first looks.
    func replacement(for refused: Issued) async -> Issued? {
        do throws(CredentialError) {
            let fresh: Issued
            switch credentials {
            case .none, .impersonating, .token, .basic: return nil
            case .plugin(let plugin):
                guard let credential = refused.credential else { return nil }
                fresh = Self.issued(try await plugin.credential(insteadOf: credential))
            case .tokenFile(let path):
                let now = time.monotonicNow()
                fresh = try cache.withLock { cache throws(CredentialError) -> Issued in
                    if cache.looks <= refused.look { try Self.read(path, into: &cache, now: now) }
                    return Issued(authorization: cache.token.map(Self.bearer), look: cache.looks)
                }
            }
            return fresh.authorization == refused.authorization ? nil : fresh
        } catch {
            // The refusal says more than what went wrong behind it, which the next call meets again.
            return nil
        }
    }

    private static func bearer(_ token: Secret) -> Secret { Secret("Bearer \(token.revealed)") }

    private static func issued(_ credential: PluginCredentials.Credential) -> Issued {
        Issued(authorization: credential.answer.token.map(bearer), look: credential.run, credential: credential)
    }

    private static func read(_ path: String, into cache: inout Cache, now: Duration) throws(CredentialError) {
        cache.looks += 1
        do throws(FileReadError) {
            let text = String(decoding: try readFile(path, limit: 1 << 20), as: UTF8.self)
            let value = text.trimmingASCIISpace
            guard !value.isEmpty else { throw FileReadError(path: path, reason: "it is empty") }
            cache.token = Secret(value)
            cache.readAt = now
        } catch {
            guard cache.token != nil else { throw CredentialError("\(error)") }
            // Not at every request while the file is away.
            cache.readAt = now
        }
    }
}
