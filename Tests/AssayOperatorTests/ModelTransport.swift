import APIServerModel
import Concurrency
import HTTPTransport
import KubernetesModel

/// The local API server without a network: requests of one user, answered at once. Watches are not served.
final class ModelTransport: HTTPTransport {
    private let server: Locked<APIServer>
    private let user: UserInfo
    private let clock: Locked<Timestamp>
    /// How many requests of each method and path, without its query, were sent.
    private let sent: Locked<[String: Int]>

    /// With RBAC, and asked by the administrator.
    init() {
        var options = APIServerOptions()
        options.authorization = .rbac
        server = Locked(APIServer(options: options, now: Self.start))
        user = .admin
        clock = Locked(Self.start)
        sent = Locked([:])
    }

    private init(_ other: ModelTransport, _ user: UserInfo) {
        (server, clock, sent) = (other.server, other.clock, other.sent)
        self.user = user
    }

    /// The same server, asked by somebody else.
    func asked(by user: UserInfo) -> ModelTransport { ModelTransport(self, user) }

    /// Lets the server's time pass.
    func advance(by duration: Duration) { clock.withLock { $0 = $0 + duration } }

    func count(_ method: String, _ path: String) -> Int { sent.withLock { $0["\(method) \(path)"] ?? 0 } }

    static let start = Timestamp(seconds: 1_800_000_000)

    func send(_ request: HTTPRequest) async throws(HTTPTransportError) -> HTTPResponse {
        var headers: [String: String] = [:]
        for field in request.headers.fields { headers[field.name.lowercased()] = field.value }
        let call = APIRequest(
            method: request.method.rawValue, target: request.target, headers: headers, body: request.body ?? [],
            user: user)
        let path = String(request.target.prefix { $0 != "?" })
        sent.withLock { $0["\(request.method.rawValue) \(path)", default: 0] += 1 }
        let now = clock.withLock { $0 }
        let answer = server.withLock { $0.handle(call, now: now) }
        guard case .bytes(let bytes) = answer.content else {
            throw HTTPTransportError(.closed, detail: "streams are not served here")
        }
        let rest = Locked<[UInt8]?>(bytes)
        return HTTPResponse(
            status: answer.status, headers: ["Content-Type": answer.contentType],
            body: HTTPBody { () async throws(HTTPTransportError) in
                rest.withLock { rest in
                    defer { rest = nil }
                    return rest
                }
            })
    }
}
