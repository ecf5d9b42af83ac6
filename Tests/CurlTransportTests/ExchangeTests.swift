import HTTPTransport
import Testing

@testable import CurlTransport

@Suite struct ExchangeTests {
    @Test func aGetSendsItsHeadersAndReturnsStatusHeadersAndBody() async throws {
        let server = try RawServer { connection in
            guard connection.readRequest() != nil else { return }
            connection.answer(
                "hello", status: "203 Odd", headers: "X-One:  a b \r\nX-Two: 1\r\nX-Two: 2\r\nX-Empty:\r\n")
            connection.awaitEnd()
        }
        let transport = try server.transport()
        let response = try await transport.send(
            HTTPRequest(.get, "/a%20b/../c?x=1%2C2", headers: ["Accept": "application/json", "X-Nothing": ""]))
        #expect(response.status == 203)
        #expect(response.headers["x-one"] == "a b")
        #expect(response.headers.values("X-Two") == ["1", "2"])
        #expect(response.headers["X-Empty"] == "")
        #expect(try await response.text() == "hello")
        let lines = try #require(server.requests.first).split(separator: "\r\n").map(String.init)
        #expect(lines.first == "GET /a%20b/../c?x=1%2C2 HTTP/1.1")
        #expect(Set(lines.dropFirst()) == ["Host: 127.0.0.1:\(server.port)", "Accept: application/json", "X-Nothing:"])
    }

    @Test(arguments: [
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nX-Hint: 1\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n",
    ])
    func interimAnswersAreNotTheAnswer(_ interim: String) async throws {
        let server = try RawServer { connection in
            guard connection.readRequest() != nil else { return }
            connection.write(interim)
            connection.answer("done", status: "201 Created")
            connection.awaitEnd()
        }
        let response = try await server.transport().send(HTTPRequest(.get, "/"))
        #expect(response.status == 201)
        #expect(response.headers["X-Hint"] == nil)
        #expect(try await response.text() == "done")
    }

    @Test(arguments: [HTTPRequest.Method.post, .put, .patch, .delete])
    func aBodyArrivesWhole(_ method: HTTPRequest.Method) async throws {
        let server = try RawServer { connection in
            while let request = connection.readRequest() { connection.answer("\(request.utf8.count)") }
        }
        let transport = try server.transport()
        for size in [0, 1, 70_000, 3_000_000] {
            let body = [UInt8](repeating: UInt8(ascii: "x"), count: size)
            let request = HTTPRequest(method, "/objects", headers: ["Content-Type": "application/json"], body: body)
            _ = try await transport.send(request).text()
            let seen = try #require(server.requests.last)
            #expect(seen.hasPrefix("\(method.rawValue) /objects HTTP/1.1\r\n"))
            #expect(seen.contains("Content-Length: \(size)\r\n"))
            #expect(seen.contains("Content-Type: application/json\r\n"))
            #expect(!seen.contains("Expect"))
            #expect(seen.utf8.suffix(size).allSatisfy { $0 == UInt8(ascii: "x") })
        }
        #expect(server.connectionCount == 1, "the connection is kept")
    }

    @Test func beside20WatchesAConnectionIsKeptForOtherRequests() async throws {
        let server = try RawServer { connection in
            while let request = connection.readRequest() {
                if request.hasPrefix("GET /watch ") {
                    connection.write("HTTP/1.1 200 OK\r\n\r\n")
                    return connection.awaitEnd()
                }
                connection.answer("done")
            }
        }
        let transport = try server.transport()
        var watches: [HTTPResponse] = []
        for _ in 0..<20 {
            let watch = HTTPRequest(.get, "/watch", delivery: .stream(idleTimeout: .seconds(60)))
            watches.append(try await transport.send(watch))
        }
        for _ in 0..<5 { #expect(try await transport.send(HTTPRequest(.get, "/other")).text() == "done") }
        #expect(server.connectionCount == 21)
        withExtendedLifetime(watches) {}
    }

    @Test func aHeadRequestAwaitsNoBody() async throws {
        let server = try RawServer { connection in
            while connection.readRequest() != nil { connection.write("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n") }
        }
        let transport = try server.transport()
        #expect(try await transport.send(HTTPRequest(.head, "/")).text() == "")
        #expect(try await transport.send(HTTPRequest(.head, "/")).text() == "")
    }

    @Test func aDeleteWithoutBodySendsNone() async throws {
        let server = try RawServer { connection in
            while connection.readRequest() != nil { connection.answer("") }
        }
        _ = try await server.transport().send(HTTPRequest(.delete, "/a")).text()
        #expect(try #require(server.requests.first).contains("Content-") == false)
    }

    @Test func chunkedBodiesAndTrailersAreDecoded() async throws {
        let server = try RawServer { connection in
            guard connection.readRequest() != nil else { return }
            connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
            connection.write("4\r\ndefg\r\n0\r\nX-Trailer: late\r\n\r\n")
            connection.awaitEnd()
        }
        let response = try await server.transport().send(HTTPRequest(.get, "/"))
        #expect(response.headers["X-Trailer"] == nil)
        #expect(try await response.text() == "abcdefg")
    }

    @Test func redirectsAreNotFollowed() async throws {
        let server = try RawServer { connection in
            while connection.readRequest() != nil {
                connection.answer("", status: "302 Found", headers: "Location: http://127.0.0.1:1/\r\n")
            }
        }
        #expect(try await server.transport().send(HTTPRequest(.get, "/")).status == 302)
    }

    @Test func manyRequestsAtOnceAreAllAnswered() async throws {
        let server = try RawServer { connection in
            while let request = connection.readRequest() {
                connection.answer(String(request.split(separator: " ")[1]))
            }
        }
        let transport = try server.transport()
        let answers = try await withThrowingTaskGroup(of: (Int, String).self) { group in
            for number in 0..<60 {
                group.addTask {
                    (number, try await transport.send(HTTPRequest(.get, "/\(number)")).text())
                }
            }
            var result: [Int: String] = [:]
            for try await (number, text) in group { result[number] = text }
            return result
        }
        #expect(answers == Dictionary(uniqueKeysWithValues: (0..<60).map { ($0, "/\($0)") }))
    }

    @Test func aServersPathGoesBeforeTheTarget() async throws {
        let server = try RawServer { connection in
            while connection.readRequest() != nil { connection.answer("") }
        }
        let transport = try CurlTransport(TransportConfiguration(server: server.url + "/k8s/clusters/c-1/"))
        _ = try await transport.send(HTTPRequest(.get, "/api/v1/pods")).text()
        #expect(try #require(server.requests.first).hasPrefix("GET /k8s/clusters/c-1/api/v1/pods HTTP/1.1"))
    }

    @Test func aConfiguredProxyIsUsed() async throws {
        let proxy = try RawServer { connection in
            while connection.readRequest() != nil { connection.answer("by proxy") }
        }
        let transport = try CurlTransport(
            TransportConfiguration(server: "http://cluster.example:8080", proxyURL: proxy.url))
        #expect(try await transport.send(HTTPRequest(.get, "/api")).text() == "by proxy")
        #expect(try #require(proxy.requests.first).hasPrefix("GET http://cluster.example:8080/api HTTP/1.1"))
    }

    @Test(arguments: [
        HTTPRequest(.get, "no-slash"), HTTPRequest(.get, "/a b"), HTTPRequest(.get, "/a\r\nX: y"),
        HTTPRequest(.get, "/a#b"), HTTPRequest(.get, "/ä"),
        HTTPRequest(.get, "/", headers: ["X": "a\r\nY: b"]), HTTPRequest(.get, "/", headers: ["X": "a\u{0}b"]),
        HTTPRequest(.get, "/", headers: ["X Y": "a"]), HTTPRequest(.get, "/", headers: ["": "a"]),
    ])
    func requestsThatWouldBreakTheFramingAreRefused(_ request: HTTPRequest) async throws {
        let transport = try CurlTransport(TransportConfiguration(server: "http://127.0.0.1:1"))
        let error = await failure { _ = try await transport.send(request) }
        #expect(error?.code == .invalidRequest)
    }
}
