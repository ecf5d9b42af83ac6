import CLinux
import Files
import Glibc

/// A file that is being written, and goes when it is not kept.
final class Upload {
    private let path: String
    private var descriptor: Int32

    init(in root: String) throws(ArtifactError) {
        try Self.makeShared("\(root)/uploads")
        path = "\(root)/uploads/\(UInt64.random(in: .min ... .max))"
        descriptor = clinux_open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw .file(FileError("create", path)) }
        // Others of the group say that it is in use by setting its time.
        fchmod(descriptor, 0o664)
    }

    deinit {
        guard descriptor >= 0 else { return }
        close(descriptor)
        unlink(path)
    }

    /// Makes a directory, and what is missing above it, in which the group may write too: on a volume those who share it have
    /// the group in common, and seldom the user.
    static func makeShared(_ path: String) throws(ArtifactError) {
        guard FileSystem.kind(path) == nil else { return }
        if let slash = path.lastIndex(of: "/"), slash != path.startIndex { try makeShared(String(path[..<slash])) }
        do throws(FileError) {
            try FileSystem.makeDirectories(path)
            let mode = try FileSystem.status(path).st_mode & 0o7777
            guard chmod(path, mode | 0o020) == 0 || errno == EPERM else { throw FileError("change mode of", path) }
        } catch { throw .file(error) }
    }

    func write(_ bytes: UnsafeRawBufferPointer) throws(ArtifactError) {
        do { try FileSystem.writeAll(bytes, to: descriptor, path) } catch { throw .file(error) }
    }

    func write(_ bytes: [UInt8]) throws(ArtifactError) {
        do { try FileSystem.writeAll(bytes[...], to: descriptor, path) } catch { throw .file(error) }
    }

    /// Brings the file to the disk under this name, in place of what has it.
    func keep(as target: String) throws(ArtifactError) {
        guard fsync(descriptor) == 0 else { throw .file(FileError("write", path)) }
        let directory = String(target[..<(target.lastIndex(of: "/") ?? target.startIndex)])
        try Self.makeShared(directory)
        guard rename(path, target) == 0 else { throw .file(FileError("rename to", target)) }
        close(descriptor)
        descriptor = -1
        // The name must be on the disk too, before anybody is told of it.
        try Self.flush(directory)
    }

    /// Brings the names in a directory to the disk.
    static func flush(_ directory: String) throws(ArtifactError) {
        let descriptor = clinux_open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)
        guard descriptor >= 0 else { throw .file(FileError("open", directory)) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw .file(FileError("write", directory)) }
    }
}
