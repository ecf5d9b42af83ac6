internal import CCurl
internal import CLinux
import HTTPTransport

#if canImport(Glibc)
import Glibc
#else
import Musl
#endif

/// What the thread is born with.
private final class LoopStart: Sendable {
    let mailbox: LoopMailbox
    let settings: TransferSettings

    init(mailbox: LoopMailbox, settings: TransferSettings) {
        self.mailbox = mailbox
        self.settings = settings
    }
}

/// Starts the thread, which ends by a `.stop` in its mailbox.
func startCurlLoop(_ mailbox: LoopMailbox, _ settings: TransferSettings) throws(HTTPTransportError) {
    let start = Unmanaged.passRetained(LoopStart(mailbox: mailbox, settings: settings))
    var thread = pthread_t()
    let code = pthread_create(&thread, nil, curlLoopMain, start.toOpaque())
    guard code == 0 else {
        start.release()
        throw HTTPTransportError(.closed, detail: "pthread_create: \(String(cString: strerror(code)))")
    }
    pthread_detach(thread)
}

private func curlLoopMain(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let context else { return nil }
    let start = Unmanaged<LoopStart>.fromOpaque(context).takeRetainedValue()
    clinux_set_thread_name("assay-curl")
    // Signals are for other threads, and a SIGPIPE of a TLS write is for nobody.
    var all = sigset_t()
    sigfillset(&all)
    pthread_sigmask(SIG_SETMASK, &all, nil)
    if var loop = CurlLoop(start.mailbox, start.settings) { loop.run() }
    for command in start.mailbox.close() {
        if case .start(_, let transfer) = command { transfer.finish(.failure(HTTPTransportError(.closed))) }
    }
    return nil
}

/// The event loop: owns libcurl's multi handle and all easy handles, and never leaves its thread.
private struct CurlLoop: ~Copyable {
    private let mailbox: LoopMailbox
    private let settings: TransferSettings
    private let certificates: PinnedCertificates
    private let poller: SocketPoller
    private let multi: UnsafeMutableRawPointer
    private var entries: [UInt64: TransferEntry] = [:]
    /// Handles that have done their work and were reset.
    private var spareHandles: [UnsafeMutableRawPointer] = []
    /// No silence can be too long before this moment; nil while no transfer has a limit.
    private var nextIdleCheck: Int64?
    /// Why the loop ends; nil while it runs.
    private var end: HTTPTransportError?

    private static let maximumSpareHandles = 8
    /// Idle connections kept; each costs about 60 kB with TLS.
    private static let maximumIdleConnections = 8

    init?(_ mailbox: LoopMailbox, _ settings: TransferSettings) {
        guard let poller = SocketPoller(wakeDescriptor: mailbox.wakeDescriptor), let multi = curl_multi_init() else {
            return nil
        }
        self.mailbox = mailbox
        self.settings = settings
        self.poller = poller
        self.multi = multi
        certificates = PinnedCertificates(settings.configuration)
        poller.attach(to: multi)
        limitConnections()
    }

    deinit {
        for handle in spareHandles { curl_easy_cleanup(handle) }
        _ = curl_multi_cleanup(multi)
        // Callbacks may come until here, and the certificates are used until here.
        withExtendedLifetime(poller) {}
    }

    mutating func run() {
        var events = [epoll_event](repeating: epoll_event(), count: 64)
        var running: Int32 = 0
        while end == nil {
            let ready = poller.wait(until: nextIdleCheck, into: &events)
            if poller.takeDeadline() { _ = curl_multi_socket_action(multi, CURL_SOCKET_TIMEOUT, 0, &running) }
            for event in ready {
                if event.data.fd == mailbox.wakeDescriptor {
                    // Before the commands are taken: one that is posted in between wakes the thread once more.
                    mailbox.drainWakeUps()
                } else {
                    _ = curl_multi_socket_action(multi, event.data.fd, SocketPoller.readiness(event), &running)
                }
            }
            for command in mailbox.takeCommands() { carryOut(command) }
            reapFinished()
            failSilent()
        }
        for entry in Array(entries.values) { remove(entry, .failure(end ?? HTTPTransportError(.closed))) }
    }

    private mutating func carryOut(_ command: LoopMailbox.Command) {
        switch command {
        case .start(let request, let transfer):
            start(request, transfer)
        case .cancel(let id):
            if let entry = entries[id] { remove(entry, .failure(HTTPTransportError(.cancelled))) }
        case .resume(let id):
            if let entry = entries[id] {
                entry.noteActivity()
                _ = curl_easy_pause(entry.handle, CURLPAUSE_CONT)
            }
        case .stop(let error):
            end = error
        }
    }

    private mutating func start(_ request: HTTPRequest, _ transfer: Transfer) {
        if let end { return transfer.finish(.failure(end)) }
        guard !transfer.isFinished else { return }
        guard let handle = spareHandles.popLast() ?? curl_easy_init() else {
            return transfer.finish(.failure(HTTPTransportError(.connect, detail: "libcurl has no handle left")))
        }
        let entry = TransferEntry(handle: handle, transfer: transfer, body: request.body, mailbox: mailbox)
        let code = entry.configure(request, settings, certificates)
        guard code == CURLE_OK, curl_multi_add_handle(multi, handle) == CURLM_OK else {
            curl_easy_cleanup(handle)
            let detail = String(cString: curl_easy_strerror(code))
            return transfer.finish(.failure(HTTPTransportError(.invalidRequest, detail: detail)))
        }
        entries[transfer.id] = entry
        limitConnections()
        if let deadline = entry.deadline { nextIdleCheck = min(nextIdleCheck ?? .max, deadline.at) }
    }

    private mutating func reapFinished() {
        var left: Int32 = 0
        while let message = curl_multi_info_read(multi, &left) {
            guard message.pointee.msg == CURLMSG_DONE, let handle = message.pointee.easy_handle,
                let context = ccurl_private(handle)
            else { continue }
            let code = message.pointee.data.result
            let entry = Unmanaged<TransferEntry>.fromOpaque(context).takeUnretainedValue()
            if code == CURLE_OK {
                remove(entry, .success(()), keepsHandle: true)
            } else {
                var requestBytes = 0
                _ = ccurl_getinfo_long(handle, CURLINFO_REQUEST_SIZE, &requestBytes)
                let error = HTTPTransportError(curl: code, requestBytes: requestBytes, text: entry.errorText)
                let refusal = code == CURLE_COULDNT_CONNECT ? entry.refusedAddress : nil
                remove(entry, .failure(refusal.map { HTTPTransportError(.invalidRequest, detail: $0) } ?? error))
            }
        }
    }

    /// Fails transfers on which nothing arrived for too long. Looks at them only when the earliest could be due.
    private mutating func failSilent() {
        let now = monotonicMilliseconds()
        guard let due = nextIdleCheck, now >= due else { return }
        var next: Int64?
        for entry in Array(entries.values) {
            // A reader who takes his time is not the server's silence.
            if !entry.transfer.isStarving { entry.noteActivity() }
            guard let deadline = entry.deadline else { continue }
            if now >= deadline.at {
                remove(entry, .failure(HTTPTransportError(.timeout, detail: deadline.missed)))
            } else {
                next = min(next ?? .max, deadline.at)
            }
        }
        nextIdleCheck = next
    }

    /// The handle leaves libcurl first, so that no callback can find the entry afterwards.
    ///
    /// Of a transfer that still runs, this closes an HTTP/1.1 connection at once. On HTTP/2 libcurl 7.88 queues the stream's
    /// reset until something else is sent or received on the connection, so a server may count a cancelled watch a little
    /// longer; nothing of it reaches us.
    private mutating func remove(
        _ entry: TransferEntry, _ end: Result<Void, HTTPTransportError>, keepsHandle: Bool = false
    ) {
        _ = curl_multi_remove_handle(multi, entry.handle)
        if keepsHandle, spareHandles.count < Self.maximumSpareHandles {
            curl_easy_reset(entry.handle)
            spareHandles.append(entry.handle)
        } else {
            curl_easy_cleanup(entry.handle)
        }
        entries[entry.transfer.id] = nil
        limitConnections()
        entry.transfer.finish(end)
    }

    /// libcurl counts the connections in use too: a fixed number would leave none idle beside that many watches, and each
    /// request would make a connection of its own.
    private func limitConnections() {
        _ = ccurl_multi_setopt_long(multi, CURLMOPT_MAXCONNECTS, entries.count + Self.maximumIdleConnections)
    }
}
