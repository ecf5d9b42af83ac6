import CLinux
import Files
import Glibc

/// A container's log on disk, as its readers see it.
struct ContainerLogFile: Sendable {
    let path: String

    private init(path: String) { self.path = path }

    init(_ volumes: VolumeDirectory, uid: String, container: String, instance: Int) {
        path = "\(volumes.pod(uid))/logs/\(container)/\(instance).log"
    }

    var exists: Bool { FileSystem.kind(path) == .file }

    /// The size of the newer file, in bytes.
    var size: Int {
        do throws(FileError) {
            return Int(try FileSystem.status(path).st_size)
        } catch {
            return 0
        }
    }

    /// The whole lines of the newer file from a place on; nothing where it cannot be read.
    func lines(from offset: Int) -> [UInt8] {
        do throws(FileError) {
            let bytes = try FileSystem.contents(path, from: offset)
            guard let end = bytes.lastIndex(of: 0x0a) else { return [] }
            return Array(bytes[...end])
        } catch {
            return []
        }
    }

    /// All whole lines that are kept, those of the older file first, and where the newer one was read to.
    func everything() -> (lines: [UInt8], end: Int) {
        let older = ContainerLogFile(path: "\(path).1").lines(from: 0)
        let newer = lines(from: 0)
        return (older + newer, newer.count)
    }

    /// The end of what the container wrote.
    func lastText(bytes: Int, lines: Int) -> String {
        let formatter = LogFormatter(showsTimes: false)
        let all = formatter.format(everything().lines)
        let last = all.split(separator: 0x0a, omittingEmptySubsequences: false)
        // The last piece is what follows the final line's end: nothing.
        let kept = last.suffix(lines + 1).joined(separator: [0x0a])
        return String(decoding: Array(kept).suffix(bytes), as: UTF8.self)
    }
}

/// Turns lines of the CRI's format into what the container wrote.
struct LogFormatter: Sendable {
    var showsTimes: Bool
    /// RFC 3339; earlier lines are left out. Compared as text, which the fixed format allows.
    var since: String?

    func format(_ log: [UInt8]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(log.count)
        var isContinued = false
        for line in log.split(separator: 0x0a) {
            let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 3, omittingEmptySubsequences: false)
            guard fields.count == 4 else { continue }
            if let since, fields[0].lexicographicallyPrecedes(Array(since.utf8)) { continue }
            if showsTimes, !isContinued { result += fields[0] + [UInt8(ascii: " ")] }
            result += fields[3]
            isContinued = fields[2].first == UInt8(ascii: "P")
            if !isContinued { result.append(0x0a) }
        }
        return result
    }
}
