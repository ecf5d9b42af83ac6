import Files
import Glibc

/// What a container had to say at its end.
struct TerminationMessage {
    private static let longest = 4096
    private static let longestFromLogs = 2048
    private static let linesFromLogs = 80
    private let volumes: VolumeDirectory
    private let uid: String
    private let container: NodeContainer
    private let instance: Int

    init(_ volumes: VolumeDirectory, uid: String, container: NodeContainer, instance: Int) {
        self.volumes = volumes
        self.uid = uid
        self.container = container
        self.instance = instance
    }

    /// The file on the node that the container sees at its `terminationMessagePath`.
    var path: String { "\(volumes.pod(uid))/containers/\(container.name)/\(instance)-termination-log" }

    func text(exitCode: Int) -> String {
        let written = bounded(path, to: Self.longest)
        guard written.isEmpty, exitCode != 0, container.messagePolicy == .fallbackToLogs else { return written }
        let log = ContainerLogFile(volumes, uid: uid, container: container.name, instance: instance)
        return Self.tail(log.lastText(bytes: Self.longestFromLogs, lines: Self.linesFromLogs), Self.longestFromLogs)
    }

    private func bounded(_ path: String, to limit: Int) -> String {
        var bytes: [UInt8] = []
        do throws(FileError) {
            try FileSystem.read(path) { piece in
                if bytes.count < limit { bytes += piece.prefix(limit - bytes.count) }
            }
        } catch {
            return ""
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func tail(_ text: String, _ bytes: Int) -> String {
        text.utf8.count <= bytes ? text : String(decoding: text.utf8.suffix(bytes), as: UTF8.self)
    }
}
