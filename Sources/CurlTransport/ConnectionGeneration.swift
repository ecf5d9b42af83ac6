internal import CCurl
import HTTPTransport

/// An event loop with its thread, and with it a pool of connections that were all made with the same certificates.
///
/// It lives as long as somebody may send through it or read from it.
final class ConnectionGeneration: Sendable {
    private let mailbox: LoopMailbox
    let settings: TransferSettings

    init(_ settings: TransferSettings) throws(HTTPTransportError) {
        self.settings = settings
        mailbox = try LoopMailbox()
        try startCurlLoop(mailbox, settings)
    }

    deinit { mailbox.post(.stop(HTTPTransportError(.closed))) }

    func stop(_ error: HTTPTransportError) { mailbox.post(.stop(error)) }

    func start(_ request: HTTPRequest) throws(HTTPTransportError) -> BodyReader {
        let transfer = Transfer(id: mailbox.nextID(), delivery: request.delivery)
        guard mailbox.post(.start(request, transfer)) else { throw HTTPTransportError(.closed) }
        return BodyReader(generation: self, transfer: transfer, outlivesTask: request.outlivesTask)
    }

    /// True when nothing has arrived on any of its connections since `moment` of the monotonic clock in milliseconds.
    func isSilent(since moment: Int64) -> Bool { mailbox.isSilent(since: moment) }

    func cancel(_ transfer: Transfer) { mailbox.post(.cancel(transfer.id)) }
    func resume(_ transfer: Transfer) { mailbox.post(.resume(transfer.id)) }
}

/// Once in a process, before any other use of the library.
let curlIsReady = ccurl_global_init() == CURLE_OK

/// The reading end of a transfer. Dropping it before the end cancels the transfer.
final class BodyReader: Sendable {
    // Keeps the loop alive as long as somebody may read.
    let generation: ConnectionGeneration
    private let transfer: Transfer
    private let outlivesTask: Bool

    init(generation: ConnectionGeneration, transfer: Transfer, outlivesTask: Bool) {
        self.generation = generation
        self.transfer = transfer
        self.outlivesTask = outlivesTask
    }

    deinit {
        if !transfer.isFinished { generation.cancel(transfer) }
    }

    func head() async throws(HTTPTransportError) -> Transfer.Head {
        await wait(for: .head)
        return try transfer.takeHead()
    }

    func next() async throws(HTTPTransportError) -> [UInt8]? {
        await wait(for: .bytes)
        if Task.isCancelled, !outlivesTask { throw HTTPTransportError(.cancelled) }
        let (bytes, goesOn) = try transfer.takeBytes()
        if goesOn { generation.resume(transfer) }
        return bytes
    }

    private func wait(for need: Transfer.Need) async {
        await withTaskCancellationHandler {
            while !transfer.isReady(need) { await transfer.wait(for: need) }
        } onCancel: {
            // The waiter is let go here; the loop need not be awaited.
            guard !outlivesTask else { return }
            transfer.finish(.failure(HTTPTransportError(.cancelled)))
            generation.cancel(transfer)
        }
    }
}
