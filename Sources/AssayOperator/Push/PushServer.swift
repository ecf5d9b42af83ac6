import AssayCore
import Concurrency
import ControllerRuntime
import HTTPServer
import HTTPTransport
import JSON
import KubernetesModel

/// Answers pushes. What is taken is in memory alone; a lost push is a lost point of a plot.
struct PushServer: Sendable {
    let caches: Caches
    let reviews: PushReviews
    let inbox: PushInbox
    let queue: WorkQueue
    let time: any TimeSource
    let isLeader: @Sendable () -> Bool
    let metrics: PushMetrics

    /// What the server itself refuses is told in the same form.
    static func refusal(_ status: Int, _ message: String) -> HTTPServerResponse {
        if status == PushRefusal.tooLarge.code { return response(.tooLarge) }
        let json: JSONValue = [
            "kind": "Status", "apiVersion": "v1", "metadata": [:], "status": "Failure", "code": JSONValue(status),
            "reason": "BadRequest", "message": .string(message),
        ]
        return response(status, json)
    }

    func answer(_ request: HTTPServerRequest) async -> HTTPServerResponse {
        do throws(PushRefusal) {
            try await take(request)
            metrics.count(202)
            return Self.accepted
        } catch {
            metrics.count(error.code)
            return Self.response(error)
        }
    }

    private func take(_ request: HTTPServerRequest) async throws(PushRefusal) {
        guard let target = PushTarget(path: request.path) else {
            throw .notFound("there is only \(PushTarget.path(namespace: "NAMESPACE", name: "NAME"))")
        }
        guard request.method == "POST" else { throw .methodNotAllowed }
        guard isLeader() else {
            throw .unavailable("another replica of the operator takes pushes", retryAfter: .seconds(2))
        }
        guard Self.isJSON(request.headers["Content-Type"]) else { throw .unsupportedMediaType }
        guard let token = Self.token(request.headers["Authorization"]) else {
            throw .unauthorized(
                "send the token of the file that \(PushChannel.tokenFileVariable) names as a Bearer token")
        }
        let identity = try await reviews.identity(of: token)
        let trainingJob = caches.trainingJobs.get(target.key)
        let subject = try subject(target, identity, trainingJob)
        let now = time.monotonicNow()
        try inbox.admit(identity.podUID, now: now)
        let body = try PushBody.read(request.body)
        let wait = inbox.take(
            body, of: subject, told: trainingJob?.status.value?.progress, now: now,
            wall: Timestamp(sinceEpoch: time.wallNow()))
        guard let wait else { return }
        if wait > .zero { queue.add(target.key, after: wait) } else { queue.add(target.key) }
    }

    private func subject(
        _ target: PushTarget, _ identity: PushIdentity, _ trainingJob: TrainingJob?
    ) throws(PushRefusal) -> PushSubject {
        let pod = caches.pods.get(ObjectKey(namespace: identity.namespace, name: identity.pod))
        let job = pod?.metadata.controller.flatMap {
            caches.jobs.get(ObjectKey(namespace: identity.namespace, name: $0.name))
        }
        return try PushGate.subject(of: target, from: identity, trainingJob: trainingJob, pod: pod, job: job)
    }

    private static func isJSON(_ contentType: String?) -> Bool {
        guard let contentType else { return false }
        let type = contentType.utf8.prefix { $0 != UInt8(ascii: ";") && $0 != UInt8(ascii: " ") }
        return HTTPHeaders.isSame(String(Substring(type)), "application/json")
    }

    private static func token(_ authorization: String?) -> String? {
        // By bytes, for tokens are long.
        guard let bytes = authorization?.utf8, Substring(bytes.prefix(7)).lowercased() == "bearer " else { return nil }
        let token = bytes.dropFirst(7)
        return token.isEmpty || token.contains(UInt8(ascii: " ")) ? nil : String(Substring(token))
    }

    // MARK: Answers

    private static let accepted = response(
        202, ["kind": "Status", "apiVersion": "v1", "metadata": [:], "status": "Success", "code": 202])

    private static func response(_ refusal: PushRefusal) -> HTTPServerResponse {
        var response = response(refusal.code, refusal.status)
        if let seconds = refusal.retryAfterSeconds { response.headers["Retry-After"] = String(seconds) }
        if refusal.code == 401 { response.headers["WWW-Authenticate"] = "Bearer" }
        if refusal.code == 405 { response.headers["Allow"] = "POST" }
        return response
    }

    private static func response(_ status: Int, _ json: JSONValue) -> HTTPServerResponse {
        HTTPServerResponse(
            status: status, headers: ["Content-Type": "application/json"], body: .bytes(json.serializedBytes()))
    }
}

/// How pushes were answered.
struct PushMetrics: Sendable {
    private let series: [Int: MetricSeries]

    init(registry: MetricsRegistry) {
        series = Dictionary(
            uniqueKeysWithValues: [202, 401, 403, 404, 405, 413, 415, 422, 429, 503].map {
                ($0, registry.counter("assay_pushes_total", [("code", String($0))]))
            })
    }

    func count(_ code: Int) { series[code]?.increment() }
}
