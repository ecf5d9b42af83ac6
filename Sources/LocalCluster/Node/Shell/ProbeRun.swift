import CLinux
import Files
import Glibc

/// Makes one try of a probe.
struct ProbeRun: Sendable {
    enum Target: Sendable {
        case address(String)
        case command(ContainerLaunch)
    }

    private let context: NodeContext
    private let probe: ContainerProbe
    private let target: Target

    init(_ context: NodeContext, _ probe: ContainerProbe, _ target: Target) {
        self.context = context
        self.probe = probe
        self.target = target
    }

    func result() async -> ProbeResult {
        let (timeout, target) = (probe.timeout, target)
        switch (probe.check, target) {
        case (.unsupported(let words), _): return .failure(words)
        case (.exec, .command(let launch)):
            switch await ContainerCommandRun(context).run(launch, timeout: timeout) {
            case .ended(let end):
                return end.exitCode == 0 ? .success : .failure(String(decoding: end.output, as: UTF8.self))
            case .notStarted(let words): return .failure(words)
            case .timedOut: return .failure("command timed out after \(timeout.components.seconds)s")
            }
        case (.tcpSocket(let host, let port), .address(let address)):
            return await BlockingThread.run {
                ProbeConnection(host ?? address, port, timeout).connect()
            }
        case (.httpGet(let host, let port, let path, let headers), .address(let address)):
            return await BlockingThread.run {
                ProbeConnection(host ?? address, port, timeout).get(path, headers)
            }
        default: return .failure("the container does not run")
        }
    }
}

/// A short-lived connection to a container's port: blocking, within a deadline.
struct ProbeConnection {
    private let host: String
    private let port: Int
    private let deadline: Duration
    private let timeout: Duration

    init(_ host: String, _ port: Int, _ timeout: Duration) {
        self.host = host
        self.port = port
        self.timeout = timeout
        deadline = Self.now() + timeout
    }

    func connect() -> ProbeResult {
        let (socket, failure) = open()
        if socket >= 0 { close(socket) }
        return failure.map { .failure($0) } ?? .success
    }

    /// A status of 200 to 399 is a success, as for a kubelet.
    func get(_ path: String, _ headers: [String: String]) -> ProbeResult {
        let (socket, failure) = open()
        if let failure { return .failure("Get \"\(url(path))\": \(failure)") }
        defer { close(socket) }
        var head = "GET \(path.hasPrefix("/") ? path : "/\(path)") HTTP/1.1\r\n"
        if !headers.keys.contains(where: { $0.lowercased() == "host" }) { head += "Host: \(host):\(port)\r\n" }
        for (name, value) in headers.sorted(by: { $0.key < $1.key }) { head += "\(name): \(value)\r\n" }
        head += "User-Agent: kube-probe/1.34\r\nAccept: */*\r\nConnection: close\r\n\r\n"
        let bytes = Array(head.utf8)
        guard send(socket, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else {
            return .failure("Get \"\(url(path))\": \(FileSystem.message(errno))")
        }
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while answer.count < 4096, !answer.contains(0x0a) {
            guard wait(socket, POLLIN) else {
                return .failure(
                    "Get \"\(url(path))\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)")
            }
            let count = recv(socket, &buffer, buffer.count, 0)
            if count <= 0 { break }
            answer += buffer.prefix(count)
        }
        let line = String(decoding: answer.prefix { $0 != 0x0d && $0 != 0x0a }, as: UTF8.self)
        let fields = line.split(separator: " ")
        guard fields.count >= 2, fields[0].hasPrefix("HTTP/"), let status = Int(fields[1]) else {
            return .failure("Get \"\(url(path))\": the answer is not HTTP")
        }
        return (200..<400).contains(status) ? .success : .failure("HTTP probe failed with statuscode: \(status)")
    }

    private func url(_ path: String) -> String { "http://\(host):\(port)\(path)" }

    private static func now() -> Duration {
        var value = timespec()
        clock_gettime(CLOCK_MONOTONIC, &value)
        return .seconds(Int64(value.tv_sec)) + .nanoseconds(Int64(value.tv_nsec))
    }

    private func open() -> (socket: Int32, failure: String?) {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(clamping: port).bigEndian
        guard inet_pton(AF_INET, host == "localhost" ? "127.0.0.1" : host, &address.sin_addr) == 1 else {
            return (-1, "\(host) is not an IPv4 address")
        }
        let type = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let socket = Glibc.socket(AF_INET, type, 0)
        guard socket >= 0 else { return (-1, "socket: \(FileSystem.message(errno))") }
        let code = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        var problem = code == 0 ? 0 : errno
        if problem == EINPROGRESS {
            if wait(socket, POLLOUT) {
                var size = socklen_t(MemoryLayout<Int32>.size)
                getsockopt(socket, SOL_SOCKET, SO_ERROR, &problem, &size)
            } else {
                problem = ETIMEDOUT
            }
        }
        if problem == 0 { return (socket, nil) }
        close(socket)
        return (-1, "dial tcp \(host):\(port): connect: \(FileSystem.message(problem).lowercased())")
    }

    private func wait(_ socket: Int32, _ events: Int32) -> Bool {
        let left = (deadline - Self.now()).components
        let milliseconds = left.seconds * 1000 + left.attoseconds / 1_000_000_000_000_000
        guard milliseconds > 0 else { return false }
        var item = pollfd(fd: socket, events: Int16(events), revents: 0)
        return poll(&item, 1, Int32(clamping: milliseconds)) > 0
    }
}
