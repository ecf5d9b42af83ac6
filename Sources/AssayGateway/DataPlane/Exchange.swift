import HTTPServer
import KubernetesModel
import NIOCore
import NIOHTTP1

/// A request and what has become of it so far.
final class Exchange {
    let head: HTTPRequestHead
    let facts: RequestFacts
    let id: String
    let model: LoopModel
    /// When its head came, or when it was no longer held.
    var started: Duration
    var revision: LoopRevision?
    /// The connection that it is on.
    var pod: PodHandler?
    /// Its place in the line, while it is held.
    var ticket: Int?
    var heldSince: Duration?
    /// It counts as one of the model's requests.
    var isAdmitted = false
    /// Somebody was asked who sent it.
    var isReviewed = false
    /// Who sent it, where that was asked for.
    var caller: String?
    /// Bytes of the body that came from the client.
    var received = 0
    /// Its end came from the client.
    var isComplete = false
    /// A byte of it was given to a connection.
    var wasSent = false
    /// All that came of the body as it is framed, so that it can be sent again; nil where that is not kept.
    var replay: ByteBuffer?
    var retries = 0
    /// The client was told to go on.
    var saidContinue = false
    /// How the answer is passed on, once its head is written.
    var plan: ResponsePlan?
    var status = 0

    init(_ head: HTTPRequestHead, _ facts: RequestFacts, id: String, model: LoopModel, started: Duration) {
        self.head = head
        self.facts = facts
        self.id = id
        self.model = model
        self.started = started
        if isIdempotent { replay = ByteBuffer() }
    }

    var namespace: String { model.shared.key.namespace ?? "" }
    var isIdempotent: Bool { model.route?.isIdempotent ?? false }
    var isHead: Bool { head.method == .HEAD }
    var hasBody: Bool { facts.isChunked || (facts.contentLength ?? 0) > 0 }

    /// Keeps bytes of the body for another attempt, up to a bound.
    func keep(_ bytes: ByteBuffer, limit: Int) {
        guard let kept = replay else { return }
        if kept.readableBytes + bytes.readableBytes > limit {
            replay = nil
            return
        }
        if facts.isChunked { replay?.writeChunkSize(bytes.readableBytes) }
        replay?.writeImmutableBuffer(bytes)
        if facts.isChunked { replay?.writeStaticString("\r\n") }
    }

    /// Keeps the end of a chunked body.
    func keepEnd(_ trailers: HTTPHeaders?) { replay?.writeLastChunk(trailers: trailers) }

    var retry: RetryDecision {
        RetryDecision(
            method: head.method, isIdempotent: isIdempotent, wasSent: wasSent, canReplay: !hasBody || replay != nil,
            answerHasBegun: plan != nil, retries: retries)
    }
}

/// How a connection to a pod ended under a request.
enum PodFailure {
    case closed, malformed, timeout
}
