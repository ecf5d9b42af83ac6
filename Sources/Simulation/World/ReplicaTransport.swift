import APIServerModel
import Concurrency
import ControllerRuntime
import HTTPTransport
import JSON
import KubernetesModel

/// The network between one life of an operator, or of a gateway, and the server.
struct ReplicaTransport: HTTPTransport {
    let replica: Int
    var isGateway = false
    let life: Life
    let server: SimulatedServer
    let time: SimulatedTime
    let faults: FaultLayer
    let latency: Latency
    /// Ends this life; another begins after `down` with a cache so far behind.
    let crash: @Sendable (_ down: Duration, _ behind: Int) -> Void

    private var actor: String { isGateway ? "gateway-\(replica)" : "operator-\(replica)" }
    private var user: UserInfo { UserInfo(name: actor, groups: ["system:masters", "system:authenticated"]) }

    func send(_ request: HTTPRequest) async throws(HTTPTransportError) -> HTTPResponse {
        let call = APICall(method: request.method.rawValue, target: request.target)
        try await travel()
        let verdict = isGateway ? faults.judge(call, ofGateway: replica) : faults.judge(call, by: replica)
        let response: HTTPResponse
        switch verdict {
        case .pass: response = carryOut(request, call)
        case .gone(let asEvent):
            faults.note("\(actor): \(call.description) is too old")
            response = Self.gone(asEvent: asEvent)
        case .refuse(let code, let retryAfter):
            faults.note("\(actor): \(call.description) is refused with \(code)")
            response = Self.refusal(code, retryAfter, call)
        case .drop: throw HTTPTransportError(.broken, detail: "the connection broke")
        case .loseAnswer:
            _ = carryOut(request, call)
            throw HTTPTransportError(.broken, detail: "the connection broke")
        case .late(let delay): try await comeLate(request, after: delay)
        case .crash(let after, let down, let behind):
            if after { _ = carryOut(request, call) }
            crash(down, behind)
            throw HTTPTransportError(.closed, detail: "the process has died")
        }
        try await travel()
        return response
    }

    /// On the way, and for as long as the process stands still.
    private func travel() async throws(HTTPTransportError) {
        var delay = latency.next()
        repeat {
            do {
                try await time.sleep(for: delay)
            } catch {
                throw HTTPTransportError(.cancelled)
            }
            if life.isOver { throw HTTPTransportError(.closed, detail: "the process has died") }
            delay = faults.pause(replica)
        } while delay > .zero
    }

    private func comeLate(_ request: HTTPRequest, after delay: Duration) async throws(HTTPTransportError) -> Never {
        let (server, api, actor) = (server, APIRequest(request, user: user), actor)
        time.alarm(after: delay) { server.handle(api, by: actor) }
        do {
            try await time.sleep(for: .seconds(30))
        } catch {
            throw HTTPTransportError(.cancelled)
        }
        throw HTTPTransportError(.timeout, detail: "no answer within 30 s")
    }

    private func carryOut(_ request: HTTPRequest, _ call: APICall) -> HTTPResponse {
        var request = request
        if call.isCacheList { request.target = Self.withSmallPages(request.target) }
        let response = server.handle(
            APIRequest(request, user: user), by: actor,
            behind: call.isCacheList && time.monotonicNow() < life.catchesUp ? life.behind : 0)
        var headers = HTTPHeaders()
        headers["Content-Type"] = response.contentType
        for header in response.headers { headers.add(header.name, header.value) }
        let body: HTTPBody
        switch response.content {
        case .bytes(let bytes): body = Self.body(bytes)
        case .podLogs: body = Self.body([])
        case .watch(let id):
            body =
                WatchFeed(
                    id, plural: call.plural, replica: replica, server: server, time: time, faults: faults, life: life
                ).body
        }
        return HTTPResponse(status: response.status, headers: headers, body: body)
    }

    /// A server may send fewer objects than were asked for; this one sends two, so that lists have pages.
    private static func withSmallPages(_ target: String) -> String {
        guard let question = target.firstIndex(of: "?") else { return target }
        let query = target[target.index(after: question)...].split(separator: "&")
        return target[...question] + query.map { $0.hasPrefix("limit=") ? "limit=2" : $0 }.joined(separator: "&")
    }

    private static func body(_ bytes: [UInt8]) -> HTTPBody {
        let rest = Locked<[UInt8]?>(bytes)
        return HTTPBody { () async throws(HTTPTransportError) in
            rest.withLock { rest in
                defer { rest = nil }
                return rest
            }
        }
    }

    private static func refusal(_ code: Int, _ retryAfter: String?, _ call: APICall) -> HTTPResponse {
        let reasons = [
            401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 409: "Conflict", 422: "Invalid",
            429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable",
        ]
        let status = KubernetesStatus(
            code: code, reason: reasons[code] ?? "", message: "\(call.description) was refused by the simulation")
        var headers: HTTPHeaders = ["Content-Type": "application/json"]
        if let retryAfter { headers.add("Retry-After", retryAfter) }
        return HTTPResponse(status: code, headers: headers, body: body(status.json.serializedBytes()))
    }

    private static func gone(asEvent: Bool) -> HTTPResponse {
        let status = KubernetesStatus(code: 410, reason: "Expired", message: "too old resource version")
        let bytes = status.json.serializedBytes()
        if !asEvent { return HTTPResponse(status: 410, body: body(bytes)) }
        return HTTPResponse(
            status: 200, body: body(Array("{\"type\":\"ERROR\",\"object\":".utf8) + bytes + Array("}\n".utf8)))
    }
}

/// How long requests are on their way.
final class Latency: Sendable {
    private let random: Locked<SeededGenerator>

    init(seed: UInt64) { random = Locked(SeededGenerator(seed: seed)) }

    func next() -> Duration { random.withLock { .microseconds(Int64($0.next() % 20_000)) } }

    /// Uniform.
    func next(_ range: ClosedRange<Int>) -> Duration {
        .milliseconds(random.withLock { Int.random(in: range, using: &$0) })
    }
}
