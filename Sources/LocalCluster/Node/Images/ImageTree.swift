import CLinux
import Files
import Glibc
import OpenSSL

/// A directory tree as an image: what counts of it for its digest, and how it is copied.
///
/// The digest is the SHA-256 of a canonical listing: for every entry, in the order of the paths' bytes, its type,
/// whether it can be executed, its path, and the hash of its content or the target of the link. Times, owners and the
/// order in which the file system lists them do not count, so a copy elsewhere has the same digest.
enum ImageTree {
    /// The digest of `directory`, as 64 hexadecimal digits.
    static func digest(_ directory: String) throws(FileError) -> String {
        var listing = SHA256()
        try visit(directory, copyingTo: nil, "", &listing)
        return listing.finalize().hexadecimal
    }

    /// Copies `directory` to `target`, which must not exist, without the right to write, and returns the digest of what
    /// was copied. Modification times are kept: an interpreter that caches compiled code compares them.
    static func copy(_ directory: String, to target: String) throws(FileError) -> String {
        var listing = SHA256()
        guard mkdir(target, 0o755) == 0 else { throw FileError("make directory", target) }
        try visit(directory, copyingTo: target, "", &listing)
        chmod(target, 0o555)
        return listing.finalize().hexadecimal
    }

    private static func visit(
        _ directory: String, copyingTo target: String?, _ prefix: String, _ listing: inout SHA256
    ) throws(FileError) {
        for name in try FileSystem.entries(directory) {
            let path = "\(directory)/\(name)"
            let relative = prefix.isEmpty ? name : "\(prefix)/\(name)"
            let status = try FileSystem.status(path, followingLinks: false)
            let copy = target.map { "\($0)/\(name)" }
            switch FileSystem.kind(status) {
            case .directory:
                add("d", relative, "", &listing)
                if let copy, mkdir(copy, 0o755) != 0 { throw FileError("make directory", copy) }
                try visit(path, copyingTo: copy, relative, &listing)
                if let copy { chmod(copy, 0o555) }
            case .symlink:
                let destination = try FileSystem.linkTarget(path)
                add("l", relative, destination, &listing)
                if let copy, symlink(destination, copy) != 0 { throw FileError("make link", copy) }
            case .file:
                let isExecutable = status.st_mode & 0o111 != 0
                if let copy {
                    try FileSystem.copyFile(path, to: copy, mode: isExecutable ? 0o555 : 0o444)
                    try keepTimes(of: status, on: copy)
                }
                // Of the copy, where there is one: the source may change while it is read.
                add(isExecutable ? "x" : "f", relative, try contentHash(copy ?? path), &listing)
            case .other:
                throw FileError("take into an image", path, EINVAL)
            }
        }
    }

    private static func add(_ type: String, _ path: String, _ content: String, _ listing: inout SHA256) {
        // Lengths make it unambiguous whatever bytes a name has.
        listing.update(Array("\(type) \(path.utf8.count):\(path) \(content.utf8.count):\(content)\n".utf8))
    }

    private static func contentHash(_ path: String) throws(FileError) -> String {
        var hash = SHA256()
        try FileSystem.read(path) { hash.update($0) }
        return hash.finalize().hexadecimal
    }

    private static func keepTimes(of status: stat, on path: String) throws(FileError) {
        let times = [status.st_mtim, status.st_mtim]
        guard utimensat(AT_FDCWD, path, times, 0) == 0 else { throw FileError("set times of", path) }
    }
}
