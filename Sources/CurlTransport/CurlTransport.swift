internal import CCurl
import HTTPTransport

/// Sends requests through libcurl: one thread with one event loop for all transfers.
///
/// The thread lives until ``shutdown()`` or until the transport and all bodies it has given out are gone.
public final class CurlTransport: HTTPTransport {
    private let mailbox: LoopMailbox

    /// Starts the thread. Nothing is connected yet; a URL or key that cannot be used is refused here where that shows.
    public init(_ configuration: TransportConfiguration) throws(HTTPTransportError) {
        guard curlIsReady else { throw HTTPTransportError(.closed, detail: "libcurl cannot be initialised") }
        let settings = try TransferSettings(configuration)
        mailbox = try LoopMailbox()
        try startCurlLoop(mailbox, settings)
    }

    deinit { mailbox.post(.stop) }

    /// Ends the thread; transfers that still run fail with `.closed`, and so do later ones.
    public func shutdown() { mailbox.post(.stop) }

    public func send(_ request: HTTPRequest) async throws(HTTPTransportError) -> HTTPResponse {
        if let reason = request.reasonForRefusal { throw HTTPTransportError(.invalidRequest, detail: reason) }
        guard !Task.isCancelled else { throw HTTPTransportError(.cancelled) }
        let transfer = Transfer(id: mailbox.nextID(), delivery: request.delivery)
        guard mailbox.post(.start(request, transfer)) else { throw HTTPTransportError(.closed) }
        let reader = BodyReader(transport: self, transfer: transfer)
        let head = try await reader.head()
        return HTTPResponse(
            status: head.status, headers: head.headers,
            body: HTTPBody { () async throws(HTTPTransportError) in try await reader.next() })
    }

    fileprivate func post(_ command: LoopMailbox.Command) { mailbox.post(command) }
}

/// Once in a process, before any other use of the library.
private let curlIsReady = ccurl_global_init() == CURLE_OK

/// The reading end of a transfer. Dropping it before the end cancels the transfer.
private final class BodyReader: Sendable {
    // Keeps the loop alive as long as somebody may read.
    private let transport: CurlTransport
    private let transfer: Transfer

    init(transport: CurlTransport, transfer: Transfer) {
        self.transport = transport
        self.transfer = transfer
    }

    deinit {
        if !transfer.isFinished { transport.post(.cancel(transfer.id)) }
    }

    func head() async throws(HTTPTransportError) -> Transfer.Head {
        await wait(for: .head)
        return try transfer.takeHead()
    }

    func next() async throws(HTTPTransportError) -> [UInt8]? {
        await wait(for: .bytes)
        if Task.isCancelled { throw HTTPTransportError(.cancelled) }
        let (bytes, wasPaused) = try transfer.takeBytes()
        if wasPaused { transport.post(.resume(transfer.id)) }
        return bytes
    }

    private func wait(for need: Transfer.Need) async {
        await withTaskCancellationHandler {
            while !transfer.isReady(need) { await transfer.wait(for: need) }
        } onCancel: {
            // The waiter is let go here; the loop need not be awaited.
            transfer.finish(.failure(HTTPTransportError(.cancelled)))
            transport.post(.cancel(transfer.id))
        }
    }
}

extension HTTPRequest {
    /// Why the request must not be put on a wire; nil where it may.
    fileprivate var reasonForRefusal: String? {
        guard target.hasPrefix("/"), target.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "#") })
        else { return "the target is not an encoded path" }
        for field in headers.fields {
            // RFC 9110 §5.6.2 and §5.5.
            let token = "!#$%&'*+-.^_`|~"
            guard !field.name.isEmpty,
                field.name.unicodeScalars.allSatisfy({
                    $0.isASCII
                        && ($0.properties.isAlphabetic || ("0"..."9").contains($0) || token.unicodeScalars.contains($0))
                })
            else { return "a header's name is not one" }
            guard !field.value.utf8.contains(where: { $0 == 0 || $0 == 0x0A || $0 == 0x0D }) else {
                return "the header \(field.name) contains a line break or NUL"
            }
        }
        return nil
    }
}
