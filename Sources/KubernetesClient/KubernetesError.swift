import HTTPTransport
import KubernetesModel

/// Why a call did not succeed: what was tried, and what came back.
public struct KubernetesError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What kind of failure it is.
    public enum Code: Sendable, Hashable {
        /// The server's answer.
        case status(KubernetesStatus)
        /// No answer, or only a part of one.
        case transport(HTTPTransportError)
        /// An answer that cannot be read.
        case malformed(String)
        /// Nothing was tried: the call or the credentials cannot be right.
        case configuration(String)
        /// A write that was not sent: the client's owner allows none now, as one that does not lead.
        case withheld
    }

    /// What kind of failure it is.
    public var code: Code
    /// `create jobs.batch ml/wine-12`
    public var operation: String
    /// How long the server asks to wait before the next try; at most 60 s.
    public var retryAfter: Duration?

    /// A failure of an operation, such as `get pods ml/wine`.
    public init(_ code: Code, operation: String, retryAfter: Duration? = nil) {
        self.code = code
        self.operation = operation
        self.retryAfter = retryAfter
    }

    /// A failure of an operation, such as `get pods ml/wine`.
    public init(code: Code, operation: String, retryAfter: Duration? = nil) {
        self.init(code, operation: operation, retryAfter: retryAfter)
    }

    /// The server's answer, where it gave one.
    public var status: KubernetesStatus? {
        if case .status(let status) = code { status } else { nil }
    }

    /// Why no answer came; nil where one did.
    public var transportCode: HTTPTransportError.Code? {
        if case .transport(let error) = code { error.code } else { nil }
    }

    /// 404: there is no such object, or no such kind.
    public var isNotFound: Bool { status?.code == 404 }
    /// A 409 of creation: the name is taken.
    public var isAlreadyExists: Bool { status?.code == 409 && status?.reason == "AlreadyExists" }
    /// A 409 of anything else: the object changed meanwhile, or another field manager holds the field.
    public var isConflict: Bool { status?.code == 409 && !isAlreadyExists }
    /// The resource version or continue token is too old: list again.
    public var isExpired: Bool { status?.code == 410 || status?.reason == "Expired" || status?.reason == "Gone" }
    /// The request can only be right when it is changed (400, 422).
    public var isInvalid: Bool { status?.code == 400 || status?.code == 422 }
    /// 403: a right is missing, or admission refused.
    public var isForbidden: Bool { status?.code == 403 }
    /// 401: the server does not know who asks.
    public var isUnauthorized: Bool { status?.code == 401 }
    /// 429: later.
    public var isTooManyRequests: Bool { status?.code == 429 }
    /// 5xx.
    public var isServerError: Bool { status.map { (500...599).contains($0.code) } ?? false }
    /// The task was cancelled, and whether the server acted is not known.
    public var isCancelled: Bool { transportCode == .cancelled }

    /// A write that was not sent, for none is allowed now.
    public var isWithheld: Bool { code == .withheld }

    /// True where a write may have been carried out all the same, so that the object is read before it is tried again.
    public var outcomeIsUnknown: Bool {
        switch code {
        case .status(let status): (500...599).contains(status.code) && status.code != 501
        case .transport(let error): !error.requestWasNotSent
        case .malformed: true
        case .configuration, .withheld: false
        }
    }

    /// What was tried, on what, and what came back.
    public var description: String {
        switch code {
        case .status(let status):
            let reason = status.reason.isEmpty ? "" : " \(status.reason)"
            return "\(operation): the server answered \(status.code)\(reason)"
                + (status.message.isEmpty ? "" : ": \(status.message)")
        case .transport(let error): return "\(operation): \(error)"
        case .malformed(let detail): return "\(operation): the answer cannot be read: \(detail)"
        case .configuration(let detail): return "\(operation): \(detail)"
        case .withheld: return "\(operation): not sent, since this process may not write now"
        }
    }
}
