import APIServerModel
import Concurrency
import HTTPServer
import HTTPTransport
import JSON
import KubernetesModel
import Logging

/// Between HTTP and the API server: authenticates, streams watches and logs.
struct RequestHandler: Sendable {
    let host: APIServerHost
    let time: any TimeSource
    let logger: Logger

    /// Larger pieces of a watch are written one after another.
    private static let chunk = 256 << 10

    func handle(_ request: HTTPServerRequest) async -> HTTPServerResponse {
        var api = await apiRequest(request)
        do throws(ProtobufError) {
            try Self.translate(&api)
        } catch {
            return refusal(
                KubernetesStatus(code: 415, reason: "UnsupportedMediaType", message: error.description))
        }
        switch await host.takeFault(api) {
        case nil: break
        case .refuse(let status): return refusal(status)
        case .drop: return broken(200)
        case .loseAnswer:
            let response = await host.handle(api)
            if case .watch(let id) = response.content { await host.closeWatch(id) }
            return broken(response.status)
        case .delay(let duration):
            do { try await time.sleep(for: duration) } catch { return broken(503) }
        }
        let response = await host.handle(api)
        logger.trace(
            "request",
            metadata: [
                "method": "\(api.method)", "target": "\(api.target)", "status": "\(response.status)",
                "user": "\(api.user?.name ?? "")",
            ])
        return await answer(response)
    }

    private func apiRequest(_ request: HTTPServerRequest) async -> APIRequest {
        var headers: [String: String] = [:]
        for field in request.headers.fields {
            let name = field.name.lowercased()
            headers[name] = headers[name].map { "\($0), \(field.value)" } ?? field.value
        }
        var user = await host.user(certificate: request.clientCertificate, authorization: headers["authorization"])
        headers["authorization"] = nil
        if let other = headers["impersonate-user"], user?.groups.contains("system:masters") == true {
            let groups = request.headers.values("Impersonate-Group")
            user = UserInfo(name: other, groups: groups + ["system:authenticated"])
        }
        return APIRequest(
            method: request.method, target: request.target, headers: headers, body: request.body, user: user)
    }

    /// The API server reads JSON only.
    private static func translate(_ api: inout APIRequest) throws(ProtobufError) {
        guard !api.body.isEmpty, api.headers["content-type"]?.hasPrefix(ProtobufBody.mediaType) == true else { return }
        api.body = try ProtobufBody.json(api.body).serializedBytes()
        api.headers["content-type"] = "application/json"
    }

    private func answer(_ response: APIResponse) async -> HTTPServerResponse {
        var headers = HTTPHeaders()
        headers["Content-Type"] = response.contentType
        headers["Cache-Control"] = "no-cache, private"
        for header in response.headers { headers.add(header.name, header.value) }
        switch response.content {
        case .bytes(let bytes):
            return HTTPServerResponse(status: response.status, headers: headers, body: .bytes(bytes))
        case .watch(let id):
            return HTTPServerResponse(
                status: response.status, headers: headers, body: .stream { try await stream(id, to: $0) })
        case .podLogs(let request): return await logs(request)
        }
    }

    private func refusal(_ status: KubernetesStatus) -> HTTPServerResponse {
        var headers: HTTPHeaders = ["Content-Type": "application/json"]
        if let seconds = status.retryAfterSeconds { headers.add("Retry-After", "\(seconds)") }
        return HTTPServerResponse(
            status: status.code, headers: headers, body: .bytes(status.json.serializedBytes()))
    }

    /// An answer that never comes to its end.
    private func broken(_ status: Int) -> HTTPServerResponse {
        HTTPServerResponse(status: status, body: .stream { _ in throw CancellationError() })
    }

    // MARK: Streams

    private func stream(_ id: WatchID, to writer: HTTPBodyWriter) async throws {
        do {
            for await _ in await host.signals(id) {
                let batch = await host.takeEvents(id)
                var piece: [UInt8] = []
                for line in batch.lines {
                    piece += line
                    if piece.count < Self.chunk { continue }
                    try await writer.write(piece)
                    piece = []
                }
                try await writer.write(piece)
                if batch.isEnded { break }
            }
            await host.closeWatch(id)
        } catch {
            await host.closeWatch(id)
            throw error
        }
    }

    private func logs(_ request: PodLogRequest) async -> HTTPServerResponse {
        guard let source = await host.logSource(node: request.nodeName) else {
            return refusal(
                KubernetesStatus(
                    code: 502, reason: "BadGateway",
                    message: "the node \"\(request.nodeName)\" does not serve logs here"))
        }
        do {
            let output = try await source.podLogs(request)
            return HTTPServerResponse(
                status: 200, headers: ["Content-Type": "text/plain"],
                body: .stream { writer in try await output.write { try await writer.write($0) } })
        } catch let error as PodLogError {
            return refusal(error.status)
        } catch {
            return refusal(KubernetesStatus(code: 500, reason: "InternalError", message: "\(error)"))
        }
    }
}
