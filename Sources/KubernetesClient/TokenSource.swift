import Concurrency

/// The bearer token of the moment.
///
/// Kubelet rewrites a projected token well before it expires, so an age of 60 s is always fresh enough (client-go uses
/// the same). While a file is missing or empty, as in the moment of its rotation, the token read before stays in use.
final class TokenSource: Sendable {
    static let maximumAge: Duration = .seconds(60)

    private struct Cache {
        var token: Secret?
        var readAt: Duration?
    }

    private let credentials: Credentials
    private let time: any TimeSource
    private let cache = Locked(Cache())

    init(_ credentials: Credentials, time: any TimeSource) {
        self.credentials = credentials
        self.time = time
    }

    func token() throws(FileReadError) -> Secret? {
        switch credentials {
        case .none: return nil
        case .token(let token): return token
        case .tokenFile(let path):
            let now = time.monotonicNow()
            return try cache.withLock { cache throws(FileReadError) -> Secret? in
                if let readAt = cache.readAt, now - readAt < Self.maximumAge, let token = cache.token { return token }
                return try Self.read(path, into: &cache, now: now)
            }
        }
    }

    /// Reads the file again after the server refused `refused`; nil when there is no other token than that.
    func replacement(for refused: Secret?) -> Secret? {
        guard case .tokenFile(let path) = credentials else { return nil }
        let now = time.monotonicNow()
        let fresh = cache.withLock { cache -> Secret? in
            do throws(FileReadError) {
                return try Self.read(path, into: &cache, now: now)
            } catch {
                return nil
            }
        }
        return fresh == refused ? nil : fresh
    }

    private static func read(_ path: String, into cache: inout Cache, now: Duration) throws(FileReadError) -> Secret? {
        do throws(FileReadError) {
            let text = String(decoding: try readFile(path, limit: 1 << 20), as: UTF8.self)
            let value = text.trimmingASCIISpace
            guard !value.isEmpty else { throw FileReadError(path: path, reason: "it is empty") }
            cache.token = Secret(value)
            cache.readAt = now
        } catch {
            guard cache.token != nil else { throw error }
            // Not at every request while the file is away.
            cache.readAt = now
        }
        return cache.token
    }
}
