import Concurrency
import Testing

#if canImport(Glibc)
import Glibc
#else
import Musl
#endif

/// A server of plain sockets that does exactly what a test tells it, right or wrong. Each connection has a thread.
final class RawServer: Sendable {
    let port: Int
    private let listener: Int32
    private let hasThread: Bool
    private let seen = Locked<[String]>([])
    private let connections = Locked(0)

    init(host: String = "127.0.0.1", backlog: Int32 = 64, _ script: (@Sendable (RawConnection) -> Void)?) throws {
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        try #require(inet_pton(AF_INET, host, &address.sin_addr) == 1)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let listener = listener
        let code = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(listener, pointer, length) | listen(listener, backlog) | getsockname(listener, pointer, &length)
            }
        }
        try #require(code == 0)
        port = Int(UInt16(bigEndian: address.sin_port))
        hasThread = script != nil
        guard let script else { return }
        startThread { [seen, connections] in
            // Closed here alone: a number that is given out again meanwhile would be another server's.
            defer { close(listener) }
            while true {
                let descriptor = accept(listener, nil, nil)
                guard descriptor >= 0 else { return }
                let number = connections.withLock { count in
                    count += 1
                    return count
                }
                startThread {
                    script(RawConnection(descriptor: descriptor, number: number, seen: seen))
                    close(descriptor)
                }
            }
        }
    }

    deinit {
        shutdown(listener, Int32(SHUT_RDWR))
        if !hasThread { close(listener) }
    }

    var url: String { "http://127.0.0.1:\(port)" }
    /// Heads and bodies of the requests read so far.
    var requests: [String] { seen.withLock { $0 } }
    var connectionCount: Int { connections.withLock { $0 } }
}

/// The server's end of a connection, used by one thread.
final class RawConnection {
    let descriptor: Int32
    /// 1 for the first one that the server accepted.
    let number: Int
    private let seen: Locked<[String]>
    private var buffer: [UInt8] = []

    init(descriptor: Int32, number: Int, seen: Locked<[String]>) {
        self.descriptor = descriptor
        self.number = number
        self.seen = seen
    }

    /// The next request with its body, noted as seen; nil when the client closes.
    func readRequest() -> String? {
        while true {
            if let end = buffer.firstRange(of: Array("\r\n\r\n".utf8))?.upperBound {
                let head = String(decoding: buffer[..<end], as: UTF8.self)
                let length =
                    head.lowercased().split(separator: "\r\n").first { $0.hasPrefix("content-length:") }
                    .flatMap { Int($0.dropFirst("content-length:".count).drop { $0 == " " }) } ?? 0
                if buffer.count >= end + length {
                    let whole = String(decoding: buffer[..<(end + length)], as: UTF8.self)
                    buffer.removeFirst(end + length)
                    seen.withLock { $0.append(whole) }
                    return whole
                }
            }
            var chunk = [UInt8](repeating: 0, count: 64 << 10)
            let count = recv(descriptor, &chunk, chunk.count, 0)
            guard count > 0 else { return nil }
            buffer += chunk[..<count]
        }
    }

    /// False when the client is gone.
    @discardableResult
    func write(_ text: String) -> Bool { write(Array(text.utf8)) }

    @discardableResult
    func write(_ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    func answer(_ body: String, status: String = "200 OK", headers: String = "") {
        write("HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\n\(headers)\r\n\(body)")
    }

    /// Passes bytes both ways between the client and a local port until either closes, or so many have come from there.
    /// Returns how many those were.
    @discardableResult
    func tunnel(to port: Int, limit: Int = .max) -> Int {
        let other = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(other) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(other, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        var passed = 0
        guard code == 0 else { return passed }
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        var sockets = [descriptor, other].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
        while sockets.contains(where: { $0.fd >= 0 }), poll(&sockets, 2, -1) > 0 {
            for (from, to) in [(0, 1), (1, 0)] where sockets[from].fd >= 0 && sockets[from].revents != 0 {
                var count = recv(sockets[from].fd, &buffer, buffer.count, 0)
                if count == 0 {
                    // One side may end and the other go on.
                    shutdown(from == 0 ? other : descriptor, Int32(SHUT_WR))
                    sockets[from].fd = -1
                    continue
                }
                if from == 1 {
                    count = min(count, limit - passed)
                    passed += max(0, count)
                }
                let receiver = to == 0 ? descriptor : other
                guard count > 0, send(receiver, buffer, count, Int32(MSG_NOSIGNAL)) == count, passed < limit
                else { return passed }
            }
        }
        return passed
    }

    /// Blocks until the client closes.
    func awaitEnd() {
        var byte: UInt8 = 0
        while recv(descriptor, &byte, 1, 0) > 0 {}
    }
}

private final class ThreadBody: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}

private func startThread(_ body: @escaping @Sendable () -> Void) {
    var thread = pthread_t()
    let box = Unmanaged.passRetained(ThreadBody(body))
    let code = pthread_create(
        &thread, nil,
        { context in
            if let context { Unmanaged<ThreadBody>.fromOpaque(context).takeRetainedValue().run() }
            return nil
        }, box.toOpaque())
    if code == 0 { pthread_detach(thread) } else { box.release() }
}
