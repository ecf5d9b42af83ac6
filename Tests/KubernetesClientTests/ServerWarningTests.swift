import Concurrency
import HTTPTransport
import KubernetesModel
import Logging
import Testing

@testable import KubernetesClient

@Suite struct ServerWarningTests {
    private struct Journal: LogHandler {
        let lines: Locked<[String]>
        var metadata: Logger.Metadata = [:]
        var logLevel: Logger.Level = .trace
        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }
        func log(event: LogEvent) {
            let text = event.metadata?["warning"].map { "\($0)" } ?? ""
            lines.withLock { $0.append(text) }
        }
    }

    @Test(
        arguments: [
            (#"299 - "unknown field \"spec.foo\"""#, #"unknown field "spec.foo""#), (#"299 - "a" "Sat, 1 Jan""#, "a"),
            ("299 - \"a\u{1B}b\nc\"", "a b c"), (#"299 api "open"#, "open"), (#"199 - "misc""#, nil), ("299", nil),
            ("", nil), ("299 - bare", nil), (#"299 - """#, nil),
        ] as [(String, String?)])
    func theTextOfAWarningIsRead(_ field: String, _ text: String?) {
        #expect(ServerWarnings.text(field) == text)
    }

    @Test func eachTextIsLoggedOnceAndTheirNumberIsBounded() async throws {
        let lines = Locked<[String]>([])
        var headers = HTTPHeaders()
        headers.add("Warning", #"299 - "v1beta1 is deprecated""#)
        headers.add("warning", #"299 - "another""#)
        let many = (0..<300).map { HTTPHeaders(dictionaryLiteral: ("Warning", "299 - \"text \($0)\"")) }
        let transport = ScriptedTransport(
            [.response(200, headers: headers, chunks: ["{}"]), .response(200, headers: headers, chunks: ["{}"])]
                + many.map { .response(200, headers: $0, chunks: ["{}"]) })
        let client = KubernetesClient(
            transport: transport, logger: Logger(label: "test") { _ in Journal(lines: lines) })
        for _ in 0..<302 { _ = try await client.get(.nodes, .init(namespace: nil, name: "n")) }
        let seen = lines.withLock { $0 }
        #expect(seen.prefix(2) == ["v1beta1 is deprecated", "another"])
        #expect(seen.count == ServerWarnings.maximumTexts)
        #expect(Set(seen).count == seen.count)
    }
}
