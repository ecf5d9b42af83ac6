import Concurrency
import KubernetesModel

/// The output of a node's containers, as `kubectl logs` reads it.
public struct NodeLogs: Sendable {
    /// What to read.
    public struct Request: Sendable, Hashable {
        public var podUID: String
        public var container: String
        /// How often the container has been restarted, which names the instance; from its status.
        public var restartCount: Int
        /// The instance before.
        public var previous = false
        /// Goes on until the container ends.
        public var follow = false
        public var timestamps = false
        public var tailLines: Int?
        public var limitBytes: Int?
        public var since: Timestamp?

        public init(podUID: String, container: String, restartCount: Int) {
            self.podUID = podUID
            self.container = container
            self.restartCount = restartCount
        }
    }

    /// How often a file that is followed is looked at.
    private static let interval: Duration = .milliseconds(100)
    private let volumes: VolumeDirectory
    private let time: any TimeSource

    init(options: NodeOptions) {
        volumes = VolumeDirectory(dataDirectory: options.dataDirectory)
        time = options.time
    }

    /// The time that `since` is compared with.
    var now: Duration { time.wallNow() }

    /// Whether that instance of the container has written, or could have.
    public func exists(_ request: Request) -> Bool { file(request)?.exists ?? false }

    private func file(_ request: Request) -> ContainerLogFile? {
        let instance = request.previous ? request.restartCount - 1 : request.restartCount
        // Names come from a request: they must not lead out of the directory.
        guard instance >= 0, !request.container.contains("/"), !request.podUID.contains("/") else { return nil }
        return ContainerLogFile(volumes, uid: request.podUID, container: request.container, instance: instance)
    }

    /// Passes the output to `write` piece by piece.
    ///
    /// - Parameter hasEnded: asked while following; the output ends once it is true and everything has been passed on.
    public func write(
        _ request: Request, hasEnded: @Sendable () async -> Bool,
        to write: @Sendable ([UInt8]) async throws -> Void
    ) async throws {
        guard let file = file(request) else { return }
        let formatter = LogFormatter(showsTimes: request.timestamps, since: request.since?.microTime)
        var left = request.limitBytes ?? .max
        func pass(_ bytes: [UInt8]) async throws {
            let piece = bytes.count > left ? Array(bytes.prefix(left)) : bytes
            left -= piece.count
            if !piece.isEmpty { try await write(piece) }
        }
        let (whole, end) = await BlockingThread.run { file.everything() }
        try await pass(Self.tail(formatter.format(whole), request.tailLines))
        var position = end
        while request.follow, left > 0 {
            let isLast = await hasEnded()
            if file.size < position { position = 0 }
            let from = position
            let more = await BlockingThread.run { file.lines(from: from) }
            position += more.count
            try await pass(formatter.format(more))
            if isLast { return }
            try await time.sleep(for: Self.interval)
        }
    }

    private static func tail(_ text: [UInt8], _ lines: Int?) -> [UInt8] {
        guard let lines else { return text }
        guard lines > 0 else { return [] }
        var found = 0
        for index in text.indices.reversed() where text[index] == 0x0a {
            // The last line's own end is not the start of another.
            if index != text.count - 1 { found += 1 }
            if found == lines { return Array(text[(index + 1)...]) }
        }
        return text
    }
}
