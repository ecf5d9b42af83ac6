import Concurrency
import HTTPTransport
import JSON
import KubernetesModel
import Logging

/// Talks to one Kubernetes API server.
///
/// A value that is cheap to copy and used by any number of tasks at once. Every call honours cancellation. What is
/// tried again, and when, is said at ``RetryPolicy``.
public struct KubernetesClient: Sendable {
    let transport: any HTTPTransport
    let tokens: TokenSource
    let impersonation: Impersonation?
    let userAgent: String
    let time: any TimeSource
    let retry: RetryPolicy
    let random: @Sendable () -> Double
    private var mayWrite: @Sendable () -> Bool = { true }
    private let warnings: ServerWarnings?

    /// What requests say that they come from, unless told.
    public static let defaultUserAgent = "assay/0.1"

    /// How long a call may take; a list gets twice as long.
    static let callTimeout: Duration = .seconds(30)

    /// - Parameters:
    ///   - random: numbers in 0..<1 that spread retries.
    ///   - logger: gets the warnings that the server sends beside its answers, each text once.
    public init(
        transport: any HTTPTransport,
        credentials: Credentials = .none,
        userAgent: String = KubernetesClient.defaultUserAgent,
        time: any TimeSource = SystemTime(),
        retry: RetryPolicy = .standard,
        random: @escaping @Sendable () -> Double = { Double.random(in: 0..<1) },
        logger: Logger? = nil
    ) {
        self.transport = transport
        self.tokens = TokenSource(credentials, time: time)
        impersonation = credentials.parts.impersonation
        self.userAgent = userAgent
        self.time = time
        self.retry = retry
        self.random = random
        warnings = logger.map(ServerWarnings.init)
    }

    /// The same client, but one that writes only while `mayWrite` says so.
    ///
    /// That is asked in the moment before a write is handed to the transport, each try anew. Where it says no, nothing is
    /// sent, and the call fails as ``KubernetesError/isWithheld``.
    public func writing(onlyWhile mayWrite: @escaping @Sendable () -> Bool) -> KubernetesClient {
        var result = self
        result.mayWrite = mayWrite
        return result
    }

    /// Sends a request of any kind with the client's credentials: logs, health, discovery.
    ///
    /// Returns answers below 300 only; others are thrown. It is never tried again but after a 401 with a fresh token.
    public func send(
        _ request: HTTPRequest, operation: String? = nil
    ) async throws(KubernetesError) -> HTTPResponse {
        let name = operation ?? "\(request.method.rawValue) \(request.target.prefix { $0 != "?" })"
        let isWrite = request.method != .get && request.method != .head
        return try await perform(Call(request: request, operation: name, isWrite: isWrite), retry: .never) {
            (response: HTTPResponse) async throws(HTTPTransportError) in response
        }
    }
}

/// A request, the words for it in errors, and whether it changes anything.
struct Call: Sendable {
    var request: HTTPRequest
    var operation: String
    var isWrite: Bool

    func failure(_ code: KubernetesError.Code) -> KubernetesError { KubernetesError(code, operation: operation) }
}

extension KubernetesClient {
    /// Sends, reads and parses; tries again as the policy says.
    func json(_ call: Call) async throws(KubernetesError) -> JSONValue {
        let bytes = try await perform(call, retry: retry) {
            (response: HTTPResponse) async throws(HTTPTransportError) in try await response.body.collect()
        }
        do throws(JSONError) {
            return try JSONValue(parsing: bytes)
        } catch {
            throw call.failure(.malformed("\(bytes.count) bytes: \(error)"))
        }
    }

    func perform<Answer>(
        _ call: Call, retry: RetryPolicy,
        read: (HTTPResponse) async throws(HTTPTransportError) -> Answer
    ) async throws(KubernetesError) -> Answer {
        var attempt = 0
        while true {
            attempt += 1
            do throws(KubernetesError) {
                return try await performOnce(call, read: read)
            } catch {
                guard let wait = retry.delay(after: error, attempt: attempt, isWrite: call.isWrite, random: random())
                else { throw error }
                do {
                    try await time.sleep(for: wait)
                } catch {
                    throw call.failure(.transport(HTTPTransportError(.cancelled)))
                }
            }
        }
    }

    /// One try, and a second one when the credentials were refused and there are others.
    private func performOnce<Answer>(
        _ call: Call, read: (HTTPResponse) async throws(HTTPTransportError) -> Answer
    ) async throws(KubernetesError) -> Answer {
        let issued: TokenSource.Issued
        do throws(CredentialError) {
            issued = try await tokens.current()
        } catch {
            if error.isCancelled { throw call.failure(.transport(HTTPTransportError(.cancelled))) }
            throw call.failure(.configuration("the credentials cannot be had: \(error)"))
        }
        do throws(KubernetesError) {
            return try await exchange(call, issued, read: read)
        } catch {
            guard error.isUnauthorized, let fresh = await tokens.replacement(for: issued) else { throw error }
            return try await exchange(call, fresh, read: read)
        }
    }

    private func exchange<Answer>(
        _ call: Call, _ issued: TokenSource.Issued, read: (HTTPResponse) async throws(HTTPTransportError) -> Answer
    ) async throws(KubernetesError) -> Answer {
        var request = call.request
        request.headers["User-Agent"] = userAgent
        if request.headers["Accept"] == nil { request.headers["Accept"] = "application/json" }
        if let authorization = issued.authorization { request.headers["Authorization"] = authorization.revealed }
        for field in impersonation?.headers.fields ?? [] { request.headers.add(field.name, field.value) }
        if call.isWrite, !mayWrite() { throw call.failure(.withheld) }
        let response: HTTPResponse
        do throws(HTTPTransportError) {
            response = try await transport.send(request)
            warnings?.note(response.headers, operation: call.operation)
            if (200..<300).contains(response.status) { return try await read(response) }
        } catch {
            throw call.failure(.transport(error))
        }
        throw await refusal(response, call)
    }

    /// The error that an answer of 300 and above stands for.
    private func refusal(_ response: HTTPResponse, _ call: Call) async -> KubernetesError {
        var bytes: [UInt8] = []
        var status: KubernetesStatus?
        do {
            bytes = try await response.body.collect(limit: 1 << 20)
            status = KubernetesStatus(json: try JSONValue(parsing: bytes))
        } catch {
            // A proxy's page, or an answer cut off: the status line has said enough.
            status = nil
        }
        let text = String(decoding: bytes.prefix(256), as: UTF8.self).trimmingASCIISpace
        var result = status ?? KubernetesStatus(code: response.status, reason: "", message: text)
        if result.code == 0 { result.code = response.status }
        if result.reason.isEmpty { result.reason = Self.reasons[result.code] ?? "" }
        let asked = response.headers["Retry-After"].flatMap { RetryAfter.parse($0, wallNow: time.wallNow()) }
        let wait = asked ?? RetryAfter.parse(seconds: result.retryAfterSeconds)
        return KubernetesError(.status(result), operation: call.operation, retryAfter: wait)
    }

    /// The words of `metav1.StatusReason` for answers that carry none.
    private static let reasons = [
        400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 405: "MethodNotAllowed",
        406: "NotAcceptable", 409: "Conflict", 410: "Gone", 413: "RequestEntityTooLarge",
        415: "UnsupportedMediaType", 422: "Invalid", 429: "TooManyRequests", 500: "InternalError",
        503: "ServiceUnavailable", 504: "Timeout",
    ]
}
