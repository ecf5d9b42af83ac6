import Concurrency
import HTTPTransport
import JSON

/// A transport that answers from a script and keeps what it was asked.
final class ScriptedTransport: HTTPTransport {
    enum Answer: Sendable {
        case response(Int, headers: HTTPHeaders = HTTPHeaders(), chunks: [String], end: HTTPTransportError? = nil)
        case failure(HTTPTransportError)

        static func json(_ body: JSONValue, status: Int = 200, headers: HTTPHeaders = HTTPHeaders()) -> Answer {
            .response(status, headers: headers, chunks: [body.serialized()])
        }

        static func status(
            _ code: Int, _ reason: String = "", message: String = "", headers: HTTPHeaders = HTTPHeaders()
        ) -> Answer {
            .json(
                ["kind": "Status", "reason": .string(reason), "message": .string(message), "code": JSONValue(code)],
                status: code, headers: headers)
        }

        static func failure(_ code: HTTPTransportError.Code) -> Answer { .failure(HTTPTransportError(code)) }
    }

    private struct State {
        var answers: [Answer]
        var requests: [HTTPRequest] = []
    }

    private let state: Locked<State>

    init(_ answers: [Answer]) { state = Locked(State(answers: answers)) }

    var requests: [HTTPRequest] { state.withLock { $0.requests } }
    var targets: [String] { requests.map(\.target) }
    var unusedAnswers: Int { state.withLock { $0.answers.count } }

    func send(_ request: HTTPRequest) async throws(HTTPTransportError) -> HTTPResponse {
        let answer = state.withLock { state -> Answer? in
            state.requests.append(request)
            return state.answers.isEmpty ? nil : state.answers.removeFirst()
        }
        switch answer {
        case nil: throw HTTPTransportError(.closed, detail: "the script has no more answers")
        case .failure(let error)?: throw error
        case .response(let status, let headers, let chunks, let end)?:
            let rest = Locked(chunks.map { Array($0.utf8) }[...])
            return HTTPResponse(
                status: status, headers: headers,
                body: HTTPBody { () async throws(HTTPTransportError) in
                    if let chunk = rest.withLock({ $0.popFirst() }) { return chunk }
                    if let end { throw end }
                    return nil
                })
        }
    }
}

extension HTTPRequest {
    var text: String { String(decoding: body ?? [], as: UTF8.self) }
}
