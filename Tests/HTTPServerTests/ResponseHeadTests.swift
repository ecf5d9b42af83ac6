import HTTPTransport
import Testing

@testable import HTTPServer

@Suite struct ResponseHeadTests {
    @Test(
        "A date is written as RFC 9110 wants it",
        arguments: [
            (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"), (1_767_225_599, "Wed, 31 Dec 2025 23:59:59 GMT"),
            (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
        ])
    func date(_ seconds: Int, _ expected: String) {
        #expect(HTTPDate.string(.seconds(seconds)) == expected)
    }

    @Test("The date that is kept goes with the second")
    func latestDate() {
        for second in [5, 5, 6, 4_107_542_400, 5] {
            let time = Duration.seconds(second) + .milliseconds(999)
            #expect(HTTPDate.latest(time) == HTTPDate.string(time))
        }
    }

    @Test(
        "Names of header fields are the same whatever their case, and only then",
        arguments: [
            ("Content-Type", "content-TYPE", true), ("A", "b", false), ("Host", "Hos", false), ("@", "`", false),
            ("[", "{", false), ("K", "\u{212A}", false), ("", "", true),
        ])
    func names(_ name: String, _ other: String, _ areSame: Bool) {
        var headers: HTTPHeaders = ["X": "0"]
        headers.add(name, "1")
        #expect((headers[other] == "1") == areSame && headers.values(other).count == (areSame ? 1 : 0))
        headers[other] = nil
        #expect(headers.fields.count == (areSame ? 1 : 2) && headers["x"] == "0")
    }

    @Test("A head holds the handler's fields, and framing is the server's own")
    func head() {
        let response = HTTPServerResponse(
            status: 201, headers: ["Content-Type": "a/b", "content-length": "7", "Connection": "upgrade"])
        let head = ResponseHead(response, keepsAlive: false, now: .zero)
        #expect(
            String(decoding: head.finished(), as: UTF8.self) == """
                HTTP/1.1 201 Created\r
                Content-Type: a/b\r
                Date: Thu, 01 Jan 1970 00:00:00 GMT\r
                Connection: close\r
                \r\n
                """)
    }

    @Test(
        "A response that would split in two is not sent",
        arguments: [
            (200, "X", "a\r\nSet-Cookie: b", true), (200, "X\r\nY", "a", true), (200, "", "a", true),
            (200, "X Y", "a", true), (200, "X", "\u{0}", true), (99, "X", "a", true), (600, "X", "a", true),
            (101, "X", "a", true), (200, "X-Ok_1", "a\tb é", false),
        ])
    func splitting(_ status: Int, _ name: String, _ value: String, _ isFault: Bool) {
        let response = HTTPServerResponse(status: status, headers: HTTPHeaders(dictionaryLiteral: (name, value)))
        #expect((ResponseHead.fault(in: response) != nil) == isFault)
    }
}
