import Concurrency
import HTTPTransport

/// Sends requests through libcurl: one thread with one event loop for all transfers.
///
/// The thread lives until ``shutdown()`` or until the transport and all bodies it has given out are gone. Where the
/// configuration has a ``TransportConfiguration/renewal``, each change of the certificates begins a new generation of
/// connections: what runs already goes on where it is, everything else uses the new ones, and the old connections close
/// with the last transfer on them.
public final class CurlTransport: HTTPTransport {
    private let configuration: TransportConfiguration
    private let generations: Locked<Generations>

    /// Starts the thread. Nothing is connected yet; a URL or key that cannot be used is refused here where that shows.
    public init(_ configuration: TransportConfiguration) throws(HTTPTransportError) {
        guard curlIsReady else { throw HTTPTransportError(.closed, detail: "libcurl cannot be initialised") }
        self.configuration = configuration
        let first = TLSMaterialReading(configuration.material, look: 0)
        generations = Locked(Generations(first, try ConnectionGeneration(TransferSettings(configuration))))
    }

    /// Ends the threads; transfers that still run fail with `.closed`, and so do later ones.
    public func shutdown() {
        for generation in generations.withLock({ $0.close() }) { generation.stop(HTTPTransportError(.closed)) }
    }

    /// Where certificates are renewed, a request that was refused for those it went with is sent once more with others.
    public func send(_ request: HTTPRequest) async throws(HTTPTransportError) -> HTTPResponse {
        if let reason = request.reasonForRefusal { throw HTTPTransportError(.invalidRequest, detail: reason) }
        guard let renewal = configuration.renewal else { return try await exchange(request, nil) }
        let reading = try await renewal.material()
        let response: HTTPResponse
        do throws(HTTPTransportError) {
            response = try await exchange(request, reading)
        } catch {
            guard error.code == .tls, let fresh = try await otherMaterial(renewal, reading, after: error) else {
                throw error
            }
            return try await exchange(request, fresh)
        }
        guard response.status == 401, reading.material.clientCertificatePEM != nil else { return response }
        do throws(HTTPTransportError) {
            guard let fresh = try await otherMaterial(renewal, reading, after: nil) else { return response }
            return try await exchange(request, fresh)
        } catch {
            if error.code == .cancelled { throw error }
            return response
        }
    }

    private func otherMaterial(
        _ renewal: any TLSMaterialSource, _ refused: TLSMaterialReading, after failure: HTTPTransportError?
    ) async throws(HTTPTransportError) -> TLSMaterialReading? {
        do throws(HTTPTransportError) {
            let fresh = try await renewal.material(insteadOf: refused)
            return fresh.material == refused.material ? nil : fresh
        } catch {
            guard let failure, error.code != .cancelled else { throw error }
            throw HTTPTransportError(failure.code, detail: "\(failure.detail); and \(error.detail)")
        }
    }

    private func exchange(
        _ request: HTTPRequest, _ reading: TLSMaterialReading?
    ) async throws(HTTPTransportError) -> HTTPResponse {
        guard request.outlivesTask || !Task.isCancelled else { throw HTTPTransportError(.cancelled) }
        let began = monotonicMilliseconds()
        let reader = try start(request, reading)
        let head: Transfer.Head
        do throws(HTTPTransportError) {
            head = try await reader.head()
        } catch {
            if error.code == .timeout, reader.generation.isSilent(since: began) { leave(reader.generation) }
            throw error
        }
        return HTTPResponse(
            status: head.status, headers: head.headers,
            body: HTTPBody { () async throws(HTTPTransportError) in try await reader.next() })
    }

    /// Later requests get new connections. A connection of HTTP/2 whose peer acknowledges what it gets and answers nothing
    /// would otherwise be used again and again, each time until the time-out.
    private func leave(_ silent: ConnectionGeneration) {
        let surplus = generations.withLock { generations -> [ConnectionGeneration] in
            do throws(HTTPTransportError) {
                return try generations.leave(silent, settings: silent.settings)
            } catch {
                // The system has no thread left: what there is must do.
                return []
            }
        }
        stop(surplus, "the server was silent for long since")
    }

    private func stop(_ surplus: [ConnectionGeneration], _ reason: String) {
        for old in surplus { old.stop(HTTPTransportError(.broken, detail: reason)) }
    }

    /// Under the lock, so that no generation is left before a request that was meant for it has been posted.
    private func start(
        _ request: HTTPRequest, _ reading: TLSMaterialReading?
    ) throws(HTTPTransportError) -> BodyReader {
        let (reader, surplus) = try generations.withLock {
            generations throws(HTTPTransportError) -> (BodyReader, [ConnectionGeneration]) in
            var surplus: [ConnectionGeneration] = []
            if let reading, generations.mustFollow(reading) {
                var configuration = configuration
                configuration.material = reading.material
                let next = try ConnectionGeneration(TransferSettings(configuration))
                surplus = generations.replace(by: next, reading)
            }
            return (try generations.current.start(request), surplus)
        }
        stop(surplus, "the certificates were renewed many times since")
        return reader
    }
}

/// The generations of a transport's connections.
private struct Generations: ~Copyable {
    private struct Retired {
        weak var generation: ConnectionGeneration?
    }

    private(set) var current: ConnectionGeneration
    private var reading: TLSMaterialReading
    private var retired: [Retired] = []
    private var isClosed = false

    /// Old generations that may go on at once; each has a thread.
    private static let maximumRetired = 4

    init(_ reading: TLSMaterialReading, _ first: ConnectionGeneration) {
        self.reading = reading
        current = first
    }

    /// A reading that is older than the one in use, as of a request that was held up, changes nothing.
    mutating func mustFollow(_ new: TLSMaterialReading) -> Bool {
        guard !isClosed, new.look >= reading.look else { return false }
        if new.material == reading.material {
            // The same bytes at the same address compare in no time.
            reading = new
            return false
        }
        return true
    }

    /// Returns the generations that are too many: the oldest ones.
    mutating func replace(by next: ConnectionGeneration, _ new: TLSMaterialReading) -> [ConnectionGeneration] {
        retired.removeAll { $0.generation == nil }
        retired.append(Retired(generation: current))
        current = next
        reading = new
        let surplus = retired.prefix(max(0, retired.count - Self.maximumRetired)).compactMap(\.generation)
        retired.removeFirst(surplus.count)
        return surplus
    }

    mutating func leave(
        _ silent: ConnectionGeneration, settings: TransferSettings
    ) throws(HTTPTransportError) -> [ConnectionGeneration] {
        guard !isClosed, current === silent, settings.server.isTLS else { return [] }
        return replace(by: try ConnectionGeneration(settings), reading)
    }

    mutating func close() -> [ConnectionGeneration] {
        isClosed = true
        return retired.compactMap(\.generation) + [current]
    }
}

extension HTTPRequest {
    /// Why the request must not be put on a wire; nil where it may.
    fileprivate var reasonForRefusal: String? {
        guard target.hasPrefix("/"), target.utf8.allSatisfy({ (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "#") })
        else { return "the target is not an encoded path" }
        for field in headers.fields {
            // RFC 9110 §5.6.2 and §5.5.
            let token = "!#$%&'*+-.^_`|~"
            guard !field.name.isEmpty,
                field.name.unicodeScalars.allSatisfy({
                    $0.isASCII
                        && ($0.properties.isAlphabetic || ("0"..."9").contains($0) || token.unicodeScalars.contains($0))
                })
            else { return "a header's name is not one" }
            guard !field.value.utf8.contains(where: { $0 == 0 || $0 == 0x0A || $0 == 0x0D }) else {
                return "the header \(field.name) contains a line break or NUL"
            }
        }
        return nil
    }
}
