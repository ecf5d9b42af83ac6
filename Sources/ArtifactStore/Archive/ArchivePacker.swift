import CLinux
import Files
import Glibc

/// Packs a directory into archives. Equal content gives equal bytes, whoever owns the files, however old they are, and in
/// whatever order the file system lists them.
public struct ArchivePacker: Sendable {
    public let directory: String
    /// All that lies in the directory: by the bytes of their names, and each directory before what lies in it.
    public let entries: [ArchiveEntry]

    /// Looks at the directory; reads no file yet.
    /// - Throws: ``ArchiveError`` for what no artifact may have, and for what cannot be read.
    public init(_ directory: String) throws(ArchiveError) {
        var entries: [ArchiveEntry] = []
        try Self.visit(directory, "", &entries)
        self.directory = directory
        self.entries = entries
    }

    /// The bytes of an archive of all entries, or of some of them.
    public func stream(_ entries: ArraySlice<ArchiveEntry>? = nil) -> ArchiveStream {
        ArchiveStream(directory: directory, entries: entries ?? self.entries[...])
    }

    private static func visit(
        _ directory: String, _ prefix: String, _ entries: inout [ArchiveEntry]
    ) throws(ArchiveError) {
        let names: [String]
        do { names = try FileSystem.entries(directory) } catch { throw ArchiveError(unreadable: error) }
        for name in names {
            let (text, path) = (prefix + name, "\(directory)/\(name)")
            let status: stat
            do { status = try FileSystem.status(path, followingLinks: false) } catch {
                // A name that is no text was read with its bytes replaced, so that nothing has it.
                let wasMended = error.errorNumber == ENOENT && name.unicodeScalars.contains("\u{FFFD}")
                throw wasMended ? ArchiveError(text, .notText) : ArchiveError(error)
            }
            entries.append(try ArchiveEntry(ArchivePath(text), kind(status, path, text)))
            if FileSystem.kind(status) == .directory { try visit(path, text + "/", &entries) }
        }
    }

    private static func kind(
        _ status: stat, _ path: String, _ text: String
    ) throws(ArchiveError) -> ArchiveEntry.Kind {
        switch FileSystem.kind(status) {
        case .directory: return .directory
        case .file: return .file(size: Int(status.st_size), isExecutable: status.st_mode & 0o100 != 0)
        case .symlink:
            do { return .link(target: try FileSystem.linkTarget(path)) } catch { throw ArchiveError(error) }
        case .other: throw ArchiveError(text, .unsupported(name(of: status.st_mode)))
        }
    }

    private static func name(of mode: mode_t) -> String {
        switch mode & S_IFMT {
        case S_IFIFO: "a named pipe"
        case S_IFSOCK: "a socket"
        case S_IFCHR, S_IFBLK: "a device"
        default: "of an unknown type"
        }
    }
}

extension ArchiveError {
    /// What may not be read, with whose it is: the one thing that a person needs to know to mend it.
    init(unreadable error: FileError) {
        var status = stat()
        guard lstat(error.path, &status) == 0 else {
            self.init(error)
            return
        }
        self.init("", .file(error, mode: status.st_mode & 0o7777, owner: status.st_uid, group: status.st_gid))
    }
}
