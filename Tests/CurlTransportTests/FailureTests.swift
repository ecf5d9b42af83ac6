import Concurrency
import HTTPTransport
import Testing

@testable import CurlTransport

#if canImport(Glibc)
import Glibc
#else
import Musl
#endif

@Suite struct FailureTests {
    @Test func aRefusedConnectionMeansNothingWasSent() async throws {
        let transport = try CurlTransport(TransportConfiguration(server: "http://127.0.0.1:1"))
        let error = await failure { _ = try await transport.send(HTTPRequest(.post, "/", body: [1])) }
        #expect(error?.code == .connect)
        #expect(error?.requestWasNotSent == true)
        #expect(error?.detail.contains("127.0.0.1") == true, "\(error?.detail ?? "")")
    }

    @Test func aNameThatCannotBeResolvedMeansNothingWasSent() async throws {
        let transport = try CurlTransport(TransportConfiguration(server: "http://no-such-host.invalid"))
        #expect(await failure { _ = try await transport.send(HTTPRequest(.get, "/")) }?.code == .connect)
    }

    @Test func aServerThatNeverAnswersRunsIntoTheTimeout() async throws {
        let server = try RawServer { connection in
            _ = connection.readRequest()
            connection.awaitEnd()
        }
        let transport = try server.transport()
        let request = HTTPRequest(.post, "/", body: [1], delivery: .unary(timeout: .milliseconds(100)))
        let error = await failure { _ = try await transport.send(request) }
        #expect(error?.code == .timeout)
        #expect(error?.requestWasNotSent == false)
    }

    @Test func theTimeoutCoversTheBody() async throws {
        let server = try RawServer { connection in
            _ = connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
            connection.awaitEnd()
        }
        let request = HTTPRequest(.get, "/", delivery: .unary(timeout: .milliseconds(200)))
        let response = try await server.transport().send(request)
        #expect(response.status == 200)
        #expect(await failure { _ = try await response.body.collect() }?.code == .timeout)
    }

    @Test(arguments: [
        "", "HTTP/1.1 200 OK\r\nContent-Le", "HTTP/1.1 100 Continue\r\n\r\n", "not HTTP at all\r\n\r\n",
    ])
    func aConnectionThatEndsBeforeTheHeadIsBroken(_ text: String) async throws {
        let server = try RawServer { connection in
            _ = connection.readRequest()
            connection.write(text)
        }
        let transport = try server.transport()
        let error = await failure {
            let response = try await transport.send(HTTPRequest(.post, "/", body: [1]))
            _ = try await response.body.collect()
        }
        #expect(error?.code == .broken, "\(error?.description ?? "no error")")
    }

    @Test(arguments: [
        "Content-Length: 10\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n6\r\nd", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n",
    ])
    func aBodyThatIsCutIsDeliveredAndThenBroken(_ rest: String) async throws {
        let server = try RawServer { connection in
            _ = connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\n" + rest)
        }
        let response = try await server.transport().send(
            HTTPRequest(.get, "/", delivery: .watch(idleTimeout: .seconds(20))))
        var text = ""
        let error = await failure {
            while let chunk = try await response.body.next() { text += String(decoding: chunk, as: UTF8.self) }
        }
        #expect(text.hasPrefix("abc"))
        #expect(error?.code == .broken)
    }

    @Test func aHeadWithoutEndIsRefused() async throws {
        let server = try RawServer { connection in
            _ = connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\n")
            while connection.write("X-Filler: \(String(repeating: "x", count: 1000))\r\n") {}
        }
        let error = await failure { _ = try await server.transport().send(HTTPRequest(.get, "/")) }
        #expect(error?.code == .broken)
    }

    /// libcurl sends a request once more when a connection that it kept turns out dead; with a body that may do it twice.
    @Test func aWriteOnADyingKeptConnectionIsNotSentTwice() async throws {
        let bytesOnOthers = Locked(0)
        let server = try RawServer { connection in
            if connection.number > 1 {
                var byte: UInt8 = 0
                while recv(connection.descriptor, &byte, 1, 0) > 0 { bytesOnOthers.withLock { $0 += 1 } }
                return
            }
            guard connection.readRequest() != nil else { return }
            connection.answer("first")
            _ = connection.readRequest()  // Read, perhaps carried out, and never answered.
        }
        let transport = try server.transport()
        _ = try await transport.send(HTTPRequest(.get, "/")).text()
        let error = await failure { _ = try await transport.send(HTTPRequest(.post, "/jobs", body: Array("{}".utf8))) }
        #expect(error?.code == .broken)
        #expect(error?.requestWasNotSent == false)
        #expect(error?.detail == "the connection broke before an answer came")
        #expect(server.requests.count == 2)
        #expect(bytesOnOthers.withLock { $0 } == 0)
    }

    @Test func aReadOnADyingKeptConnectionIsSentAgain() async throws {
        let server = try RawServer { connection in
            guard connection.readRequest() != nil else { return }
            connection.answer("\(connection.number)")
            _ = connection.readRequest()
        }
        let transport = try server.transport()
        #expect(try await transport.send(HTTPRequest(.get, "/")).text() == "1")
        #expect(try await transport.send(HTTPRequest(.get, "/")).text() == "2")
    }

    @Test func aSilentWatchEndsByItsIdleDeadlineAndALivelyOneDoesNot() async throws {
        let server = try RawServer { connection in
            _ = connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in 0..<12 {
                usleep(100_000)
                connection.write("2\r\nx\n\r\n")
            }
            connection.awaitEnd()
        }
        let response = try await server.transport().send(
            HTTPRequest(.get, "/", delivery: .watch(idleTimeout: .seconds(1))))
        var count = 0
        let error = await failure {
            while let chunk = try await response.body.next() { count += chunk.count }
        }
        #expect(count == 24, "every chunk puts the deadline off")
        #expect(error?.code == .timeout)
        #expect(error?.detail == "nothing arrived for 1.0 s")
    }

    @Test(arguments: [
        ("", "neither"), ("ftp://a", "neither"), ("https://", "no host"), ("https://a:0", "port"),
        ("https://a:65536", "port"), ("https://a:b", "port"), ("https://u:p@a", "more than"),
        ("https://a/?q", "more than"), ("https://a b", "space"), ("https://[::1", "bracket"), ("https://[]", "no host"),
    ])
    func aUrlThatIsNoneIsRefused(_ url: String, _ word: String) {
        let error = #expect(throws: HTTPTransportError.self) {
            try CurlTransport(TransportConfiguration(server: url))
        }
        #expect(error?.code == .invalidRequest)
        #expect(error?.detail.contains(word) == true)
        #expect(error?.detail.contains("u:p") == false)
    }

    @Test(arguments: [
        ("https://a", true, "a", 443, "", "a"), ("http://a", false, "a", 80, "", "a"),
        ("https://a:6443/", true, "a", 6443, "", "a:6443"),
        ("https://[::1]:443/x/y//", true, "[::1]", 443, "/x/y", "[::1]"),
    ])
    func aUrlIsTakenApart(
        _ url: String, _ tls: Bool, _ host: String, _ port: Int, _ prefix: String, _ authority: String
    ) throws {
        let address = try ServerAddress(url)
        #expect(address.isTLS == tls)
        #expect(address.host == host)
        #expect(address.port == port)
        #expect(address.prefix == prefix)
        #expect(address.authority == authority)
    }
}
