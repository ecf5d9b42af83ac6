internal import Concurrency
internal import Logging
internal import NIOCore

extension HTTPConnection {
    /// What is handed to the channel at a time: large enough to be cheap, small enough to hold little.
    private static let slice = 128 << 10

    /// Runs the handler and writes what it answers.
    func answer(_ incoming: Incoming, _ exchange: UInt64, _ handler: HTTPServer.Handler) async {
        var response = await handler(incoming.request)
        // What a handler says once it was cancelled is no answer: the connection is about to be closed.
        guard isOpen(exchange), !Task.isCancelled else { return }
        if let fault = ResponseHead.fault(in: response) {
            logger.error("a handler's response cannot be sent", metadata: ["fault": "\(fault)"])
            response = .text("internal error\n", status: 500)
        }
        let isHead = incoming.request.method == "HEAD"
        do throws(HTTPClientGone) {
            switch response.body {
            case .bytes(let bytes):
                let keepsAlive = incoming.keepsAlive && !isDraining
                try await write(response, bytes, isHead: isHead, keepsAlive: keepsAlive)
                finish(keepsAlive: keepsAlive)
            case .stream(let body):
                try await stream(response, body, incoming, exchange, isHead: isHead)
            }
        } catch {
            close()
        }
    }

    private func write(
        _ response: HTTPServerResponse, _ bytes: [UInt8], isHead: Bool, keepsAlive: Bool
    ) async throws(HTTPClientGone) {
        let hasBody = ResponseHead.allowsBody(response.status)
        var head = ResponseHead(response, keepsAlive: keepsAlive)
        if hasBody { head.add("Content-Length", String(bytes.count)) }
        let body = isHead || !hasBody ? [] : bytes[...]
        var buffer = makeBuffer(capacity: head.bytes.count + min(body.count, Self.slice))
        buffer.writeBytes(head.finished())
        buffer.writeBytes(body.prefix(Self.slice))
        try await write(buffer)
        var rest = body.dropFirst(Self.slice)
        while !rest.isEmpty {
            var buffer = makeBuffer(capacity: min(rest.count, Self.slice))
            buffer.writeBytes(rest.prefix(Self.slice))
            try await write(buffer)
            rest = rest.dropFirst(Self.slice)
        }
    }

    private func stream(
        _ response: HTTPServerResponse, _ body: @Sendable (HTTPBodyWriter) async throws -> Void, _ incoming: Incoming,
        _ exchange: UInt64, isHead: Bool
    ) async throws(HTTPClientGone) {
        let hasBody = !isHead && ResponseHead.allowsBody(response.status)
        let isChunked = hasBody && incoming.allowsChunks
        // Without chunks, the end of the connection is the end of the body.
        let mayKeepAlive = incoming.keepsAlive && (isChunked || !hasBody)
        var head = ResponseHead(response, keepsAlive: mayKeepAlive && !isDraining)
        if isChunked { head.add("Transfer-Encoding", "chunked") }
        var buffer = makeBuffer(capacity: head.bytes.count + 2)
        buffer.writeBytes(head.finished())
        try await write(buffer)
        if hasBody {
            do {
                try await body(
                    HTTPBodyWriter(connection: self, exchange: exchange, isChunked: isChunked, hasBody: hasBody))
                // One that ended because it was cancelled must not look whole.
                try Task.checkCancellation()
            } catch {
                if !(error is HTTPClientGone) && !(error is CancellationError) {
                    logger.warning("a response broke off", metadata: ["error": "\(error)"])
                }
                throw HTTPClientGone()
            }
        }
        if isChunked {
            var last = makeBuffer(capacity: 5)
            last.writeString("0\r\n\r\n")
            try await write(last)
        }
        finish(keepsAlive: mayKeepAlive && !isDraining)
    }

    /// Writes bytes of a streamed body, as one chunk for each slice of them.
    func writeChunk(_ bytes: [UInt8], isChunked: Bool, exchange: UInt64) async throws(HTTPClientGone) {
        var rest = bytes[...]
        while !rest.isEmpty {
            guard isOpen(exchange) else { throw HTTPClientGone() }
            let slice = rest.prefix(Self.slice)
            var buffer = makeBuffer(capacity: slice.count + 12)
            if isChunked { buffer.writeString(String(slice.count, radix: 16) + "\r\n") }
            buffer.writeBytes(slice)
            if isChunked { buffer.writeString("\r\n") }
            try await write(buffer)
            rest = rest.dropFirst(Self.slice)
        }
    }
}
