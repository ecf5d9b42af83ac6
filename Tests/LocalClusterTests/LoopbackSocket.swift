import Glibc

/// A TCP socket on loopback that never blocks a thread: what is not ready is asked for again a little later.
final class LoopbackSocket: Sendable {
    struct Failure: Error, CustomStringConvertible {
        var call: String
        var code: Int32
        var description: String { "\(call): errno \(code)" }
    }

    /// Far above what any step takes, so that a failure ends the test and not the machine's patience.
    private static let attempts = 5000

    let descriptor: Int32

    private init(_ descriptor: Int32) { self.descriptor = descriptor }

    deinit { _ = Glibc.close(descriptor) }

    private static func address(_ ip: String, _ port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        inet_pton(AF_INET, ip, &address.sin_addr)
        return address
    }

    private static func make() throws -> LoopbackSocket {
        let descriptor = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { throw Failure(call: "socket", code: errno) }
        return LoopbackSocket(descriptor)
    }

    private static func call(
        _ name: String, _ function: (Int32, UnsafePointer<sockaddr>, socklen_t) -> Int32, _ socket: LoopbackSocket,
        _ ip: String, _ port: Int
    ) throws {
        var address = address(ip, port)
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                function(socket.descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 || errno == EINPROGRESS else { throw Failure(call: "\(name) \(ip):\(port)", code: errno) }
    }

    /// Takes a port that the system chooses and does not listen: connections are refused.
    static func bind() throws -> LoopbackSocket {
        let socket = try make()
        try call("bind", { Glibc.bind($0, $1, $2) }, socket, "127.0.0.1", 0)
        return socket
    }

    static func listen() throws -> LoopbackSocket {
        let socket = try bind()
        guard Glibc.listen(socket.descriptor, 64) == 0 else { throw Failure(call: "listen", code: errno) }
        return socket
    }

    static func connect(_ ip: String, _ port: Int) async throws -> LoopbackSocket {
        let socket = try make()
        try call("connect", { Glibc.connect($0, $1, $2) }, socket, ip, port)
        try await socket.ready(POLLOUT)
        var (code, size) = (Int32(0), socklen_t(MemoryLayout<Int32>.size))
        getsockopt(socket.descriptor, SOL_SOCKET, SO_ERROR, &code, &size)
        guard code == 0 else { throw Failure(call: "connect \(ip):\(port)", code: code) }
        return socket
    }

    var port: Int {
        var (address, size) = (sockaddr_in(), socklen_t(MemoryLayout<sockaddr_in>.size))
        withUnsafeMutablePointer(to: &address) { pointer in
            _ = pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &size) }
        }
        return Int(in_port_t(bigEndian: address.sin_port))
    }

    private func ready(_ events: Int32) async throws {
        for _ in 0..<Self.attempts {
            var wanted = pollfd(fd: descriptor, events: Int16(events), revents: 0)
            if poll(&wanted, 1, 0) > 0 { return }
            try await Task.sleep(for: .milliseconds(2))
        }
        throw Failure(call: "poll", code: ETIMEDOUT)
    }

    func accept() async throws -> LoopbackSocket {
        try await ready(POLLIN)
        let descriptor = Glibc.accept(self.descriptor, nil, nil)
        guard descriptor >= 0 else { throw Failure(call: "accept", code: errno) }
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        return LoopbackSocket(descriptor)
    }

    func send(_ bytes: [UInt8]) async throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            try await ready(POLLOUT)
            let sent = rest.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if sent < 0, errno != EAGAIN { throw Failure(call: "send", code: errno) }
            rest = rest.dropFirst(max(sent, 0))
        }
    }

    func send(_ text: String) async throws { try await send(Array(text.utf8)) }

    /// What came; empty at the end of the stream.
    func receive(atMost limit: Int = 65536) async throws -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: limit)
        while true {
            try await ready(POLLIN)
            let count = buffer.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress, $0.count, 0) }
            if count >= 0 { return Array(buffer.prefix(count)) }
            if errno != EAGAIN { throw Failure(call: "recv", code: errno) }
        }
    }

    func receiveText() async throws -> String { String(decoding: try await receive(), as: UTF8.self) }

    /// Everything until the end of the stream.
    func receiveAll() async throws -> [UInt8] {
        var all: [UInt8] = []
        while true {
            let part = try await receive()
            if part.isEmpty { return all }
            all += part
        }
    }

    /// Ends what this side sends.
    func finish() { _ = shutdown(descriptor, Int32(SHUT_WR)) }
}
