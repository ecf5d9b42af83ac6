import CLinux
import Files
import Glibc

/// Writes the entries of archives beneath a directory, and nowhere else.
///
/// Two things keep it there, each of which would do: an ``ArchivePath`` does not lead out, and links are made last, so that no file
/// is written through one.
public struct ArchiveExtractor: ~Copyable {
    private let directory: String
    private let root: Int32
    private var made: Set<ArchivePath> = []
    private var links: [(path: ArchivePath, target: String)] = []
    private var file: (descriptor: Int32, path: ArchivePath)?

    /// - Parameter directory: There, and empty, or at least without what the archives have.
    /// - Throws: ``ArchiveError`` where it is no directory.
    public init(_ directory: String) throws(ArchiveError) {
        self.directory = directory
        root = clinux_open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)
        guard root >= 0 else { throw ArchiveError(unreadable: FileError("open", directory)) }
    }

    deinit {
        if let file { close(file.descriptor) }
        close(root)
    }

    public mutating func take(_ piece: ArchiveReader.Piece) throws(ArchiveError) {
        switch piece {
        case .entry(let entry):
            if let parent = entry.path.parent { try makeDirectory(parent) }
            switch entry.kind {
            case .directory: try makeDirectory(entry.path)
            case .file(_, let isExecutable): try create(entry.path, isExecutable: isExecutable)
            case .link(let target): links.append((entry.path, target))
            }
        case .content(let bytes):
            guard let file else { return }
            do { try FileSystem.writeAll(bytes, to: file.descriptor, name(file.path)) } catch {
                throw ArchiveError(error)
            }
        case .end:
            guard let file else { return }
            self.file = nil
            guard close(file.descriptor) == 0 else { throw failure("close", file.path) }
        }
    }

    /// Makes the links, when all archives have been taken.
    public consuming func finish() throws(ArchiveError) {
        for link in links where symlinkat(link.target, root, link.path.text) != 0 {
            throw errno == EEXIST ? ArchiveError(link.path.text, .duplicate) : failure("make link", link.path)
        }
    }

    private mutating func makeDirectory(_ path: ArchivePath) throws(ArchiveError) {
        guard !made.contains(path) else { return }
        if let parent = path.parent { try makeDirectory(parent) }
        guard mkdirat(root, path.text, 0o755) == 0 else {
            throw errno == EEXIST ? ArchiveError(path.text, .insideOfNoDirectory) : failure("make directory", path)
        }
        made.insert(path)
    }

    private mutating func create(_ path: ArchivePath, isExecutable: Bool) throws(ArchiveError) {
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC
        let descriptor = clinux_open_at(root, path.text, flags, 0o600)
        guard descriptor >= 0 else {
            throw errno == EEXIST ? ArchiveError(path.text, .duplicate) : failure("create", path)
        }
        file = (descriptor, path)
        // The mode of open is cut by the umask, and who serves is seldom who fetched.
        guard fchmod(descriptor, isExecutable ? 0o755 : 0o644) == 0 else { throw failure("change mode of", path) }
    }

    private func name(_ path: ArchivePath) -> String { "\(directory)/\(path)" }

    private func failure(_ operation: String, _ path: ArchivePath) -> ArchiveError {
        ArchiveError(FileError(operation, name(path)))
    }
}
