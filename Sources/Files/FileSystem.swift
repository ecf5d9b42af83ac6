import CLinux
import Glibc

/// The few file operations that are needed, on the C library: blocking, so called off the cooperative pool where much is
/// moved.
public enum FileSystem {
    public enum Kind: Sendable, Hashable {
        case file
        case directory
        case symlink
        case other
    }

    public static func message(_ errorNumber: Int32) -> String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard strerror_r(errorNumber, &buffer, buffer.count) == 0 else { return "error \(errorNumber)" }
        return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    public static func status(_ path: String, followingLinks: Bool = true) throws(FileError) -> stat {
        var result = stat()
        let code = followingLinks ? stat(path, &result) : lstat(path, &result)
        guard code == 0 else { throw FileError("stat", path) }
        return result
    }

    /// Nil where there is nothing.
    public static func kind(_ path: String, followingLinks: Bool = true) -> Kind? {
        var result = stat()
        guard (followingLinks ? stat(path, &result) : lstat(path, &result)) == 0 else { return nil }
        return kind(result)
    }

    /// In bytes, of what is there itself and not what a link leads to.
    public static func size(_ path: String) throws(FileError) -> Int {
        Int(try status(path, followingLinks: false).st_size)
    }

    public static func kind(_ status: stat) -> Kind {
        switch status.st_mode & S_IFMT {
        case S_IFREG: .file
        case S_IFDIR: .directory
        case S_IFLNK: .symlink
        default: .other
        }
    }

    public static func makeDirectories(_ path: String, mode: mode_t = 0o755) throws(FileError) {
        if mkdir(path, mode) == 0 { return }
        if errno == EEXIST, kind(path) == .directory { return }
        let reason = errno
        guard reason == ENOENT, let slash = path.lastIndex(of: "/"), slash > path.startIndex else {
            throw FileError("make directory", path, reason)
        }
        try makeDirectories(String(path[..<slash]), mode: mode)
        guard mkdir(path, mode) == 0 || errno == EEXIST else { throw FileError("make directory", path) }
    }

    /// The names in a directory, sorted by bytes.
    public static func entries(_ path: String) throws(FileError) -> [String] {
        guard let stream = opendir(path) else { throw FileError("read directory", path) }
        defer { closedir(stream) }
        var names: [String] = []
        while true {
            errno = 0
            guard let entry = readdir(stream) else {
                if errno != 0 { throw FileError("read directory", path) }
                break
            }
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    public static func linkTarget(_ path: String) throws(FileError) -> String {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
        let count = readlink(path, &buffer, buffer.count)
        guard count >= 0 else { throw FileError("read link", path) }
        return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    public static func realPath(_ path: String) throws(FileError) -> String {
        guard let resolved = realpath(path, nil) else { throw FileError("resolve", path) }
        defer { free(resolved) }
        return String(cString: resolved)
    }

    /// Hands over the bytes of a file in pieces of at most so many bytes.
    public static func read(
        _ path: String, from offset: Int = 0, piece: Int = 1 << 17,
        _ take: (UnsafeRawBufferPointer) throws(FileError) -> Void
    ) throws(FileError) {
        try readWhile(path, from: offset, piece: piece) { (bytes) throws(FileError) in
            try take(bytes)
            return true
        }
    }

    /// The same for as long as more is wanted.
    public static func readWhile(
        _ path: String, from offset: Int = 0, piece: Int = 1 << 17,
        _ take: (UnsafeRawBufferPointer) throws(FileError) -> Bool
    ) throws(FileError) {
        let file = clinux_open(path, O_RDONLY | O_CLOEXEC, 0)
        guard file >= 0 else { throw FileError("open", path) }
        defer { close(file) }
        if offset > 0 { lseek(file, offset, SEEK_SET) }
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: piece, alignment: 16)
        defer { buffer.deallocate() }
        while true {
            let count = Glibc.read(file, buffer.baseAddress, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw FileError("read", path) }
            if count == 0 { return }
            guard try take(UnsafeRawBufferPointer(rebasing: buffer[..<count])) else { return }
        }
    }

    public static func contents(_ path: String, from offset: Int = 0) throws(FileError) -> [UInt8] {
        var result: [UInt8] = []
        try read(path, from: offset) { result.append(contentsOf: $0) }
        return result
    }

    /// The file as text; nil where it cannot be read.
    public static func text(_ path: String) -> String? {
        do {
            return String(decoding: try contents(path), as: UTF8.self)
        } catch {
            return nil
        }
    }

    public static func write(_ bytes: [UInt8], to path: String, mode: mode_t = 0o644) throws(FileError) {
        let file = clinux_open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
        guard file >= 0 else { throw FileError("create", path) }
        defer { close(file) }
        // The mode of open is cut by the umask.
        fchmod(file, mode)
        try writeAll(bytes[...], to: file, path)
    }

    public static func write(_ text: String, to path: String, mode: mode_t = 0o644) throws(FileError) {
        try write(Array(text.utf8), to: path, mode: mode)
    }

    /// Writes to a file that is there, as those of the kernel are.
    public static func append(_ text: String, to path: String) throws(FileError) {
        let file = clinux_open(path, O_WRONLY | O_CLOEXEC, 0)
        guard file >= 0 else { throw FileError("open", path) }
        defer { close(file) }
        try writeAll(Array(text.utf8)[...], to: file, path)
    }

    public static func writeAll(_ bytes: ArraySlice<UInt8>, to file: Int32, _ path: String) throws(FileError) {
        var failure: FileError?
        bytes.withUnsafeBytes { bytes in
            do throws(FileError) {
                try writeAll(bytes, to: file, path)
            } catch {
                failure = error
            }
        }
        if let failure { throw failure }
    }

    public static func writeAll(_ bytes: UnsafeRawBufferPointer, to file: Int32, _ path: String) throws(FileError) {
        var done = 0
        while done < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
            let count = Glibc.write(file, rest.baseAddress, rest.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw FileError("write", path) }
            done += count
        }
    }

    public static func copyFile(_ source: String, to target: String, mode: mode_t) throws(FileError) {
        let file = clinux_open(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw FileError("create", target) }
        defer { close(file) }
        try read(source) { (bytes) throws(FileError) in try writeAll(bytes, to: file, target) }
        guard fchmod(file, mode) == 0 else { throw FileError("change mode of", target) }
    }

    /// Removes what is there, a whole tree too. Nothing there is no error.
    public static func remove(_ path: String) throws(FileError) {
        switch kind(path, followingLinks: false) {
        case nil: return
        case .directory:
            // A snapshot's directories are read-only, which stops anyone but root.
            chmod(path, 0o755)
            for name in try entries(path) { try remove("\(path)/\(name)") }
            guard rmdir(path) == 0 || errno == ENOENT else { throw FileError("remove", path) }
        default:
            guard unlink(path) == 0 || errno == ENOENT else { throw FileError("remove", path) }
        }
    }
}
