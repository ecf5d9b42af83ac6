import AssayCore
import Concurrency
import HTTPServer
import HTTPTransport
import JSON
import KubernetesModel
import Logging
import Testing

@testable import AssayGateway

/// Who is told what there is to do.
@Suite struct LoadServerTests {
    private struct Ending: Error {}

    private static func answer(
        _ authorization: String?, path: String = "/load", method: String = "GET",
        load: @escaping @Sendable () async throws -> GatewayLoad = { GatewayLoad(time: 7) }
    ) async -> HTTPServerResponse {
        let server = LoadServer(
            address: .init(host: "127.0.0.1", port: 0), directory: "/nowhere", load: load, time: SystemTime(),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        var headers = HTTPHeaders()
        headers["Authorization"] = authorization
        return await server.answer(
            HTTPServerRequest(
                method: method, target: path, headers: headers, body: [], remoteAddress: "10.0.0.1",
                clientCertificate: nil), token: "secret")
    }

    @Test(arguments: [nil, "", "secret", "Bearer ", "Bearer secre", "Bearer secret2", "Bearer Secret", "Basic secret"])
    func whoDoesNotSayTheWordIsToldNothing(_ said: String?) async {
        #expect(await Self.answer(said).status == 401)
    }

    @Test func whoSaysItIsToldWhatThereIs() async throws {
        let answer = await Self.answer("Bearer secret")
        #expect(answer.status == 200)
        guard case .bytes(let body) = answer.body else {
            Issue.record("no body")
            return
        }
        #expect(try GatewayLoad(json: JSONCursor(try JSONValue(parsing: body))) == GatewayLoad(time: 7))
    }

    @Test func nothingElseIsAnswered() async {
        #expect(await Self.answer("Bearer secret", path: "/metrics").status == 404)
        #expect(await Self.answer("Bearer secret", method: "POST").status == 404)
        #expect(await Self.answer("Bearer secret", load: { throw Ending() }).status == 503)
    }
}
