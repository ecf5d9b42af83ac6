import APIServerModel
import Concurrency
import HTTPTransport
import KubernetesModel

/// The local API server without a network: requests of one user, answered at once. Watches are not served.
final class ModelTransport: HTTPTransport {
    private let server: Locked<APIServer>
    private let user: UserInfo

    /// With RBAC, and asked by the administrator.
    init() {
        var options = APIServerOptions()
        options.authorization = .rbac
        server = Locked(APIServer(options: options, now: Self.now))
        user = .admin
    }

    private init(_ server: Locked<APIServer>, _ user: UserInfo) {
        self.server = server
        self.user = user
    }

    /// The same server, asked by somebody else.
    func asked(by user: UserInfo) -> ModelTransport { ModelTransport(server, user) }

    private static let now = Timestamp(seconds: 1_800_000_000)

    func send(_ request: HTTPRequest) async throws(HTTPTransportError) -> HTTPResponse {
        var headers: [String: String] = [:]
        for field in request.headers.fields { headers[field.name.lowercased()] = field.value }
        let call = APIRequest(
            method: request.method.rawValue, target: request.target, headers: headers, body: request.body ?? [],
            user: user)
        let answer = server.withLock { $0.handle(call, now: Self.now) }
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
