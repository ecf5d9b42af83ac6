internal import CCurl
import HTTPTransport

#if canImport(Glibc)
import Glibc
#else
import Musl
#endif

/// A running transfer as the loop's thread sees it; libcurl's callbacks reach it through their context.
///
/// The loop's table is the one owner. The handle is taken out of libcurl before the entry leaves the table, so no callback
/// outlives it.
final class TransferEntry {
    let handle: UnsafeMutableRawPointer
    let transfer: Transfer
    /// The longest silence in milliseconds; nil for unary transfers, which libcurl bounds.
    private let idleLimit: Int64?
    private let started = monotonicMilliseconds()
    private var lastActivity = monotonicMilliseconds()

    private let mailbox: LoopMailbox
    private let body: [UInt8]
    private var sent = 0
    private var lists: [UnsafeMutablePointer<curl_slist>] = []
    private let errorBuffer = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))

    /// The last address that was not connected to, and why.
    private(set) var refusedAddress: String?
    private var status = 0
    private var isHTTP2 = false
    private var headers = HTTPHeaders()
    private var headBytes = 0
    private var isHeadComplete = false

    static let maximumHead = 256 << 10
    /// How long a watch may take to begin: API servers send its head at once, and queue a request for at most 15 s.
    static let headLimit: Int64 = 30_000

    init(handle: UnsafeMutableRawPointer, transfer: Transfer, body: [UInt8]?, mailbox: LoopMailbox) {
        self.mailbox = mailbox
        self.handle = handle
        self.transfer = transfer
        self.body = body ?? []
        errorBuffer.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        switch transfer.delivery {
        case .unary: idleLimit = nil
        case .watch(let idle), .stream(let idle): idleLimit = idle.wholeMilliseconds
        }
    }

    deinit {
        for list in lists { curl_slist_free_all(list) }
        errorBuffer.deallocate()
    }

    /// What libcurl said of the failure beyond its code; empty where it said nothing.
    var errorText: String { String(cString: errorBuffer) }

    func noteActivity() { lastActivity = monotonicMilliseconds() }

    private func noteArrival() {
        noteActivity()
        mailbox.noteArrival(at: lastActivity)
    }

    /// The moment at which the loop ends the transfer, and what is said then.
    var deadline: (at: Int64, missed: String)? {
        guard let idleLimit else { return nil }
        let idle = lastActivity + idleLimit
        if case .watch = transfer.delivery, !isHeadComplete, started + Self.headLimit < idle {
            return (started + Self.headLimit, "no head of an answer came for \(Double(Self.headLimit) / 1000) s")
        }
        return (idle, "nothing arrived for \(Double(idleLimit) / 1000) s")
    }

    /// Keeps a list until the entry goes; libcurl does not copy it.
    func list(_ lines: [String]) -> UnsafeMutablePointer<curl_slist>? {
        var list: UnsafeMutablePointer<curl_slist>?
        for line in lines {
            guard let longer = curl_slist_append(list, line) else { break }
            list = longer
        }
        if let list { lists.append(list) }
        return list
    }

    /// Points libcurl's callbacks here.
    func attach() {
        let context = Unmanaged.passUnretained(self).toOpaque()
        _ = ccurl_setopt_pointer(handle, CURLOPT_PRIVATE, context)
        _ = ccurl_setopt_pointer(handle, CURLOPT_ERRORBUFFER, errorBuffer)
        _ = ccurl_set_write(
            handle,
            { bytes, size, count, context in
                guard let context else { return 0 }
                let entry = Unmanaged<TransferEntry>.fromOpaque(context).takeUnretainedValue()
                return entry.receive(UnsafeRawBufferPointer(start: bytes, count: size * count))
            }, context)
        _ = ccurl_set_header(
            handle,
            { bytes, size, count, context in
                guard let context else { return 0 }
                let entry = Unmanaged<TransferEntry>.fromOpaque(context).takeUnretainedValue()
                return entry.receiveHeader(UnsafeRawBufferPointer(start: bytes, count: size * count))
            }, context)
        _ = ccurl_set_read(
            handle,
            { bytes, size, count, context in
                guard let context, let bytes else { return 0 }
                let entry = Unmanaged<TransferEntry>.fromOpaque(context).takeUnretainedValue()
                return entry.provide(UnsafeMutableRawBufferPointer(start: bytes, count: size * count))
            }, context)
    }

    /// Has libcurl ask here before each connection.
    func refuseNodeAddresses() -> CURLcode {
        ccurl_set_open(
            handle,
            { context, purpose, address in
                guard let context, let address, purpose == CURLSOCKTYPE_IPCXN else { return CCURL_SOCKET_BAD }
                let entry = Unmanaged<TransferEntry>.fromOpaque(context).takeUnretainedValue()
                return entry.open(&address.pointee)
            }, Unmanaged.passUnretained(self).toOpaque())
    }

    private func open(_ address: inout curl_sockaddr) -> Int32 {
        let length = Int(address.addrlen)
        let bytes = withUnsafePointer(to: &address.addr) { NodeAddress.bytes(of: $0, length: length) }
        if let kind = NodeAddress.kind(bytes) {
            refusedAddress = "the name leads to \(kind), where no server is to be reached"
            return CCURL_SOCKET_BAD
        }
        return socket(address.family, address.socktype | Int32(SOCK_CLOEXEC.rawValue), address.protocol)
    }

    private func receive(_ bytes: UnsafeRawBufferPointer) -> Int {
        noteArrival()
        switch transfer.offer(bytes) {
        case .accepted: return bytes.count
        case .paused: return CCURL_WRITEFUNC_PAUSE
        case .refused: return 0
        }
    }

    private func provide(_ room: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(room.count, body.count - sent)
        room.copyBytes(from: body[sent..<(sent + count)])
        sent += count
        noteActivity()
        return count
    }

    /// One line of a head: a status line, a field, or the empty line at its end. Trailers come here as well.
    private func receiveHeader(_ line: UnsafeRawBufferPointer) -> Int {
        noteArrival()
        if isHeadComplete { return line.count }
        headBytes += line.count
        guard headBytes <= Self.maximumHead else { return 0 }
        let text = String(decoding: line, as: UTF8.self)
        if text.hasPrefix("HTTP/") {
            let parts = text.split(separator: " ", maxSplits: 2)
            isHTTP2 = parts.first == "HTTP/2"
            status = parts.count > 1 ? Int(parts[1].prefix { $0.isASCII && $0.isNumber }) ?? 0 : 0
            headers = HTTPHeaders()
        } else if text == "\r\n" || text == "\n" {
            // 100 Continue and 103 Early Hints: the answer itself is still to come.
            if status >= 200 {
                isHeadComplete = true
                transfer.publish(Transfer.Head(status: status, headers: headers, sharesConnection: isHTTP2))
            }
        } else if let colon = text.firstIndex(of: ":") {
            headers.add(String(text[..<colon]), text[text.index(after: colon)...].trimmingFieldSpace)
        }
        return line.count
    }
}

extension Duration {
    /// Rounded up, at least 1.
    var wholeMilliseconds: Int64 {
        let (seconds, attoseconds) = components
        let milliseconds = seconds.multipliedReportingOverflow(by: 1000)
        guard !milliseconds.overflow, milliseconds.partialValue < Int64.max / 4 else { return Int64.max / 4 }
        return max(1, milliseconds.partialValue + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000)
    }
}

extension Substring {
    fileprivate var trimmingFieldSpace: String {
        let isSpace: (Character) -> Bool = { $0 == " " || $0 == "\t" || $0 == "\r" || $0 == "\n" || $0 == "\r\n" }
        var result = drop(while: isSpace)
        while let last = result.last, isSpace(last) { result.removeLast() }
        return String(result)
    }
}
