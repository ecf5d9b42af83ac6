import HTTPTransport

/// An answer whose body is a blob, or the end of one.
struct Download {
    var body: HTTPBody
    /// Where in the blob it begins.
    var start: Int
    /// What it means for the store that the connection broke.
    var failure: (HTTPTransportError) -> ArtifactError
}

extension Patience {
    /// Hands on a blob to its end. What breaks off is opened anew at the byte that is missing.
    func receive(
        _ take: (UnsafeRawBufferPointer) async throws(ArtifactError) -> Void,
        open: (_ offset: Int) async throws(ArtifactError) -> Download
    ) async throws(ArtifactError) {
        var received = 0
        try await run(progress: { received }) { () async throws(ArtifactError) in
            let download = try await open(received)
            var toSkip = received - download.start
            while true {
                let piece: [UInt8]?
                do throws(HTTPTransportError) { piece = try await download.body.next() } catch {
                    throw download.failure(error)
                }
                guard let piece else { break }
                let new = piece.dropFirst(toSkip)
                toSkip -= piece.count - new.count
                guard !new.isEmpty else { continue }
                received += new.count
                try await give(new, take)
            }
        }
    }
}

extension HTTPTransportError {
    /// It may go well when it is tried again.
    var mayPass: Bool {
        switch code {
        case .connect, .timeout, .broken: true
        default: false
        }
    }
}

extension HTTPResponse {
    /// A refusal for now, and not for good.
    var mayBeOtherwise: Bool { status == 408 || status == 429 || status >= 500 }

    /// At most a minute, whatever the server says.
    var retryAfter: Duration? {
        headers["Retry-After"].flatMap { Int64($0) }.flatMap { $0 > 0 ? .seconds(min($0, 60)) : nil }
    }
}
