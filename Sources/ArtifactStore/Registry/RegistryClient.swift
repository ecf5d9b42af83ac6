import Concurrency
import HTTPTransport
import JSON
import OpenSSL

/// Sends requests to one repository of a registry, with what it wants to know of the client.
final class RegistryClient: Sendable {
    /// Makes a transport to a server; the registry's own, and the one that gives out its tokens.
    typealias Connect = @Sendable (_ server: String) throws(HTTPTransportError) -> any HTTPTransport

    private struct Token {
        var header: String
        /// When it is used no longer, by the monotonic clock.
        var end: Duration
    }

    /// An answer that is no more than this is read whole.
    private static let largestAnswer = 1 << 20

    let repository: RegistryRepository
    private let scheme: String
    /// What a token shall be good for.
    private let actions: String
    private let transport: any HTTPTransport
    private let connect: Connect
    private let credentials: RegistryCredentials?
    private let time: any TimeSource
    private let token = Locked<Token?>(nil)
    private let renewal = Turnstile()

    init(
        _ repository: RegistryRepository, isPlain: Bool, rights: RegistryStore.Rights = .write,
        credentials: RegistryCredentials?,
        time: any TimeSource, connect: @escaping Connect
    ) throws(ArtifactError) {
        self.repository = repository
        scheme = isPlain ? "http" : "https"
        actions = rights.rawValue
        self.credentials = credentials
        self.time = time
        self.connect = connect
        do { transport = try connect("\(scheme)://\(repository.host)") } catch {
            throw .store(StoreFailure("\(repository.host): \(error)"))
        }
    }

    /// The target of something in the repository: `blobs/sha256:…`.
    func target(_ path: String) -> String { "/v2/\(repository.name)/\(path)" }

    /// Sends a request, once more where the registry wants other words of who one is.
    /// - Throws: where there is no answer at all.
    func send(_ request: HTTPRequest) async throws(ArtifactError) -> HTTPResponse {
        let used = token.withLock { $0 }.flatMap { $0.end > time.monotonicNow() ? $0.header : nil }
        let response = try await exchange(request, used)
        guard response.status == 401 else { return response }
        let challenges = response.headers.values("WWW-Authenticate").compactMap(AuthorizationChallenge.init)
        guard let fresh = try await authorization(challenges, insteadOf: used) else { return response }
        return try await exchange(request, fresh)
    }

    private func exchange(
        _ request: HTTPRequest, _ authorization: String?
    ) async throws(ArtifactError) -> HTTPResponse {
        var request = request
        request.headers["Authorization"] = authorization
        do { return try await transport.send(request) } catch { throw failure(request, error) }
    }

    // MARK: Failures

    func failure(_ request: HTTPRequest, _ error: HTTPTransportError) -> ArtifactError {
        .store(StoreFailure("\(name(request)): \(error)", isTransient: error.mayPass))
    }

    /// What an answer that was not hoped for says (OCI distribution specification, "Error Codes").
    func failure(_ request: HTTPRequest, _ response: HTTPResponse) async -> ArtifactError {
        var text = "\(name(request)): the registry answers \(response.status)"
        if (300..<400).contains(response.status) {
            let target = response.headers["Location"]?.prefix { $0 != "?" } ?? "nowhere"
            return .store(StoreFailure("\(text) and leads to \(target), which is not followed"))
        }
        do throws(HTTPTransportError) {
            let body = try await response.body.collect(limit: Self.largestAnswer)
            let json = try? JSONValue(parsing: body)
            for error in json?["errors"]?.array ?? [] {
                text += "; \(error["code"]?.string ?? ""): \(error["message"]?.string ?? "")"
            }
        } catch {
            text += "; \(error)"
        }
        return .store(StoreFailure(text, isTransient: response.mayBeOtherwise, retryAfter: response.retryAfter))
    }

    /// Without the query, in which registries keep secrets of an upload.
    private func name(_ request: HTTPRequest) -> String {
        "\(request.method.rawValue) \(repository.host)\(request.target.prefix { $0 != "?" })"
    }

    // MARK: Who one is

    /// Another header than the one that was refused; nil where there is none to be had.
    private func authorization(
        _ challenges: [AuthorizationChallenge], insteadOf refused: String?
    ) async throws(ArtifactError) -> String? {
        guard await renewal.enter() else { throw .store(StoreFailure("it was cancelled")) }
        defer { renewal.leave() }
        // Of requests that were refused together the first asks for a token.
        if let current = token.withLock({ $0 }), current.header != refused, current.end > time.monotonicNow() {
            return current.header
        }
        let fresh: Token
        if let challenge = challenges.first(where: { $0.scheme == "bearer" }) {
            fresh = try await fetchToken(challenge)
        } else if challenges.contains(where: { $0.scheme == "basic" }), let credentials {
            fresh = Token(header: credentials.authorization, end: .seconds(.max / 2))
        } else {
            return nil
        }
        token.withLock { $0 = fresh }
        return fresh.header == refused ? nil : fresh.header
    }

    /// Asks the server that a challenge names (distribution's "Token Authentication Specification").
    private func fetchToken(_ challenge: AuthorizationChallenge) async throws(ArtifactError) -> Token {
        guard let realm = challenge.parameters["realm"], let url = ServerURL(realm),
            url.scheme == "https" || scheme == "http"
        else {
            throw .store(StoreFailure("\(repository.host) names no https URL that gives out tokens"))
        }
        var query = ["scope=" + percentEncoded("repository:\(repository.name):\(actions)")]
        if let service = challenge.parameters["service"] { query.append("service=" + percentEncoded(service)) }
        var request = HTTPRequest(
            .get, url.target + (url.target.contains("?") ? "&" : "?") + query.joined(separator: "&"))
        request.headers["Authorization"] = credentials?.authorization
        let response: HTTPResponse
        do {
            response = try await connect(url.server).send(request)
        } catch {
            throw failure(request, error)
        }
        guard response.status == 200 else { throw await failure(request, response) }
        let body: [UInt8]
        do { body = try await response.body.collect(limit: Self.largestAnswer) } catch { throw failure(request, error) }
        let json = try? JSONValue(parsing: body)
        guard let text = json?["token"]?.string ?? json?["access_token"]?.string else {
            throw .store(StoreFailure("\(url.server) gave out no token"))
        }
        // One without a time is good for a minute; none is used up to its very end.
        let lifetime = max(0, (json?["expires_in"]?.int ?? 60) - 10)
        return Token(header: "Bearer \(text)", end: time.monotonicNow() + .seconds(lifetime))
    }
}

/// A URL, taken apart as far as it has to be.
struct ServerURL: Hashable {
    var scheme: String
    /// `https://registry.local:5000`
    var server: String
    /// `/token?x=y`; `/` where it has none.
    var target: String

    init?(_ text: String) {
        guard let colon = text.firstRange(of: "://") else { return nil }
        scheme = text[..<colon.lowerBound].lowercased()
        guard scheme == "https" || scheme == "http" else { return nil }
        let rest = text[colon.upperBound...]
        let host = rest.prefix { $0 != "/" && $0 != "?" }
        guard !host.isEmpty, !host.contains("@") else { return nil }
        server = "\(scheme)://\(host)"
        let path = rest[host.endIndex...]
        target = path.hasPrefix("/") ? String(path) : "/" + path
    }
}

/// Everything but RFC 3986's unreserved characters as `%XX`.
func percentEncoded(_ text: String) -> String {
    var result = ""
    for byte in text.utf8 {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            result.append(Character(UnicodeScalar(byte)))
        default: result += "%" + [byte].hexadecimal.uppercased()
        }
    }
    return result
}
