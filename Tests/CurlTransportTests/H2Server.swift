import Concurrency
import HTTPTransport
import OpenSSL
import Testing

@testable import CurlTransport

#if canImport(Glibc)
import Glibc
#else
import Musl
#endif

/// `h2_server.py` in a process of its own, which ends with this value.
final class H2Server: Sendable {
    let port: Int
    private let authority: CertificateAuthority
    private let process: pid_t
    /// The server ends when this is closed.
    private let input: Int32
    private let output: PipeLines

    /// - Parameter options: see the script.
    init(_ options: [String] = []) async throws {
        let now = SystemTime().wallNow()
        authority = try CertificateAuthority(commonName: "test", now: now)
        let certificate = try authority.issue(
            CertificateRequest(commonName: "server", ipAddresses: ["127.0.0.1"], usage: .server), now: now)
        let script = String(#filePath.dropLast("H2Server.swift".count)) + "h2_server.py"
        let arguments =
            ["/usr/bin/python3", "-W", "ignore", script, certificate.certificatePEM, certificate.privateKeyPEM]
            + options
        let output: PipeLines
        (process, input, output) = try Self.spawn(arguments)
        self.output = output
        let started = try await eventually { output.lines.first?.hasPrefix("port ") == true }
        try #require(started, "the server says no port; is Debian's python3-h2 installed?")
        port = try #require(output.lines.first.flatMap { Int($0.dropFirst(5)) })
    }

    deinit {
        close(input)
        kill(process, SIGKILL)
        var status: Int32 = 0
        waitpid(process, &status, 0)
    }

    /// What the server has said so far, but for its port.
    var log: [String] { Array(output.lines.dropFirst()) }

    func log(_ word: String) -> [String] { log.filter { $0.hasPrefix(word + " ") } }

    func configuration() -> TransportConfiguration {
        TransportConfiguration(
            server: "https://127.0.0.1:\(port)", certificateAuthorityPEM: Array(authority.certificatePEM.utf8))
    }

    func transport() throws -> CurlTransport { try CurlTransport(configuration()) }

    private static func spawn(_ arguments: [String]) throws -> (pid_t, input: Int32, PipeLines) {
        var toChild: [Int32] = [0, 0]
        var fromChild: [Int32] = [0, 0]
        let made = pipe(&toChild) | pipe(&fromChild)
        try #require(made == 0)
        for end in toChild + fromChild { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, toChild[0], 0)
        posix_spawn_file_actions_adddup2(&actions, fromChild[1], 1)
        var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var process = pid_t()
        let code = posix_spawn(&process, arguments[0], &actions, nil, &words, environ)
        close(toChild[0])
        close(fromChild[1])
        try #require(code == 0, "\(arguments[0]): \(String(cString: strerror(code)))")
        return (process, toChild[1], PipeLines(fromChild[0]))
    }
}

/// The lines that have come out of a pipe.
private final class PipeLines: Sendable {
    private let descriptor: Int32
    private let text = Locked<[UInt8]>([])

    init(_ descriptor: Int32) {
        self.descriptor = descriptor
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
    }

    deinit { close(descriptor) }

    var lines: [String] {
        let descriptor = descriptor
        return text.withLock { text in
            var chunk = [UInt8](repeating: 0, count: 4096)
            while case let count = read(descriptor, &chunk, chunk.count), count > 0 { text += chunk[..<count] }
            let whole = text[..<(text.lastIndex(of: UInt8(ascii: "\n")) ?? 0)]
            return String(decoding: whole, as: UTF8.self).split(separator: "\n").map(String.init)
        }
    }
}
