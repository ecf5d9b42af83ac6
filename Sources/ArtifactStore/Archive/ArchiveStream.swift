import CLinux
import Files
import Glibc

/// The bytes of an archive, read piece by piece from the files that it is of.
public struct ArchiveStream: ~Copyable {
    private let directory: String
    private var entries: ArraySlice<ArchiveEntry>
    /// Headers and padding that were not yet read.
    private var pending: ArraySlice<UInt8> = []
    private var file: OpenFile?
    private var isAtEnd = false

    private struct OpenFile {
        let descriptor: Int32
        let entry: ArchiveEntry
        var remaining: Int
    }

    init(directory: String, entries: ArraySlice<ArchiveEntry>) {
        self.directory = directory
        self.entries = entries
    }

    deinit {
        if let file { close(file.descriptor) }
    }

    /// How many bytes an archive of these entries has.
    public static func size(of entries: ArraySlice<ArchiveEntry>) -> Int {
        entries.reduce(2 * ArchiveHeader.blockSize) { sum, entry in
            sum + ArchiveHeader.bytes(of: entry).count + entry.size + ArchiveHeader.padding(entry.size)
        }
    }

    /// Fills the buffer with the next bytes and returns how many; fewer than there is room for only at the end, and then 0.
    public mutating func read(into buffer: UnsafeMutableRawBufferPointer) throws(ArchiveError) -> Int {
        var filled = 0
        while filled < buffer.count {
            let room = UnsafeMutableRawBufferPointer(rebasing: buffer[filled...])
            if !pending.isEmpty {
                filled += takePending(room)
            } else if file != nil {
                filled += try readFile(room)
            } else if let entry = entries.popFirst() {
                pending = ArchiveHeader.bytes(of: entry)[...]
                if entry.size > 0 { file = try open(entry) }
            } else if !isAtEnd {
                isAtEnd = true
                pending = [UInt8](repeating: 0, count: 2 * ArchiveHeader.blockSize)[...]
            } else {
                break
            }
        }
        return filled
    }

    private mutating func takePending(_ room: UnsafeMutableRawBufferPointer) -> Int {
        let part = pending.prefix(room.count)
        room.copyBytes(from: part)
        pending = pending.dropFirst(part.count)
        return part.count
    }

    private mutating func readFile(_ room: UnsafeMutableRawBufferPointer) throws(ArchiveError) -> Int {
        guard var open = file else { return 0 }
        let count = Glibc.read(open.descriptor, room.baseAddress, min(room.count, open.remaining))
        if count < 0, errno == EINTR { return 0 }
        guard count >= 0 else { throw ArchiveError(unreadable: FileError("read", path(open.entry))) }
        guard count > 0 else {
            throw ArchiveError(
                open.entry.path.text, .changed(from: open.entry.size, to: open.entry.size - open.remaining))
        }
        open.remaining -= count
        file = open
        if open.remaining == 0 {
            close(open.descriptor)
            file = nil
            pending = [UInt8](repeating: 0, count: ArchiveHeader.padding(open.entry.size))[...]
        }
        return count
    }

    private func open(_ entry: ArchiveEntry) throws(ArchiveError) -> OpenFile {
        let path = path(entry)
        // Neither a link nor a pipe that has taken the file's place is followed or waited for.
        let descriptor = clinux_open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0)
        guard descriptor >= 0 else { throw ArchiveError(unreadable: FileError("open", path)) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, Int(status.st_size) == entry.size else {
            close(descriptor)
            throw ArchiveError(entry.path.text, .changed(from: entry.size, to: Int(status.st_size)))
        }
        return OpenFile(descriptor: descriptor, entry: entry, remaining: entry.size)
    }

    private func path(_ entry: ArchiveEntry) -> String { "\(directory)/\(entry.path)" }
}
