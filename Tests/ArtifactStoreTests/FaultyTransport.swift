import Concurrency
import HTTPTransport

/// Lets requests through, but for some of which the connection breaks.
final class FaultyTransport: HTTPTransport {
    enum Fault: Sendable, Hashable, CaseIterable {
        case requestLost
        case answerLost
        case bodyCut
        case unavailable
    }

    private let base: any HTTPTransport
    private let faults: [Int: Fault]
    private let log = Locked<[String]>([])

    /// - Parameter faults: By the number of the request, from 0.
    init(_ base: any HTTPTransport, _ faults: [Int: Fault] = [:]) {
        self.base = base
        self.faults = faults
    }

    /// The methods of all requests.
    var methods: [String] { log.withLock { $0 } }

    func send(_ request: HTTPRequest) async throws(HTTPTransportError) -> HTTPResponse {
        let number = log.withLock { log in
            log.append(request.method.rawValue)
            return log.count - 1
        }
        switch faults[number] {
        case nil: return try await base.send(request)
        case .requestLost: throw HTTPTransportError(.broken, detail: "the request was lost")
        case .unavailable: return HTTPResponse(status: 503, body: HTTPBody { nil })
        case .answerLost:
            let response = try await base.send(request)
            _ = try await response.body.collect()
            throw HTTPTransportError(.broken, detail: "the answer was lost")
        case .bodyCut:
            var response = try await base.send(request)
            let bytes = try await response.body.collect()
            let half = Locked<[UInt8]?>(Array(bytes.prefix(bytes.count / 2)))
            response.body = HTTPBody { () async throws(HTTPTransportError) in
                let piece = half.withLock { half in
                    defer { half = nil }
                    return half
                }
                guard let piece else { throw HTTPTransportError(.broken, detail: "the answer was cut") }
                return piece
            }
            return response
        }
    }
}

/// Time that passes while one sleeps, and takes none.
final class HurriedTime: TimeSource {
    private let now = Locked(Duration.zero)

    func monotonicNow() -> Duration { now.withLock { $0 } }
    func wallNow() -> Duration { .seconds(1_767_225_600) + monotonicNow() }
    func sleep(for duration: Duration) async throws {
        try Task.checkCancellation()
        now.withLock { $0 += duration }
    }
}
