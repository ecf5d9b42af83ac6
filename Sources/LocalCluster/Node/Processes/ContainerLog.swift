import CLinux
import Files
import Glibc
import KubernetesModel

/// The output of one container, on disk in the format of the CRI (`<time> stdout F <line>`), bounded: at `limit` bytes
/// the file becomes `<path>.1` and a new one begins.
///
/// Used by the one thread that reads the containers' pipes.
final class ContainerLog {
    enum Stream: String {
        case stdout
        case stderr
    }

    /// A longer line is cut, as container runtimes do.
    private static let longestLine = 16_384
    private let path: String
    private let limit: Int
    private var file: Int32 = -1
    private var size = 0
    private var pending: [Stream: [UInt8]] = [:]

    init(path: String, limit: Int = 10 << 20) throws(FileError) {
        self.path = path
        self.limit = limit
        try open()
    }

    deinit { if file >= 0 { close(file) } }

    private func open() throws(FileError) {
        file = clinux_open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o640)
        guard file >= 0 else { throw FileError("create", path) }
        size = Int(lseek(file, 0, SEEK_END))
    }

    func take(_ bytes: ArraySlice<UInt8>, _ stream: Stream, at wall: Timestamp) {
        var line = pending.removeValue(forKey: stream) ?? []
        let stamp = "\(wall.microTime) \(stream.rawValue) "
        var output: [UInt8] = []
        for byte in bytes {
            if byte == 0x0a {
                output += Array("\(stamp)F ".utf8) + line + [0x0a]
                line.removeAll(keepingCapacity: true)
            } else {
                line.append(byte)
                if line.count >= Self.longestLine {
                    output += Array("\(stamp)P ".utf8) + line + [0x0a]
                    line.removeAll(keepingCapacity: true)
                }
            }
        }
        pending[stream] = line
        write(output)
    }

    /// The container has ended: what it left without a line's end is a line too.
    func finish(at wall: Timestamp) {
        for (stream, line) in pending where !line.isEmpty {
            write(Array("\(wall.microTime) \(stream.rawValue) F ".utf8) + line + [0x0a])
        }
        pending = [:]
    }

    private func write(_ bytes: [UInt8]) {
        guard !bytes.isEmpty, file >= 0 else { return }
        do throws(FileError) {
            if size + bytes.count > limit, size > 0 {
                close(file)
                file = -1
                rename(path, path + ".1")
                try open()
            }
            try FileSystem.writeAll(bytes[...], to: file, path)
            size += bytes.count
        } catch {
            // A full disk loses output; it must not stop the container.
            return
        }
    }
}
