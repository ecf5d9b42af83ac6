#if canImport(Glibc)
import Glibc
#else
import Musl
#endif

/// Why a file was not read.
struct FileReadError: Error, Hashable, CustomStringConvertible {
    var path: String
    var reason: String
    /// True where the file does not exist.
    var isMissing = false

    var description: String { "reading \(path): \(reason)" }
}

/// The bytes of a small file; `limit` keeps a wrong path, such as a device, from filling the memory.
func readFile(_ path: String, limit: Int = 16 << 20) throws(FileReadError) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
        let code = errno
        throw FileReadError(path: path, reason: String(cString: strerror(code)), isMissing: code == ENOENT)
    }
    defer { close(descriptor) }
    var result: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 16 << 10)
    while true {
        let count = read(descriptor, &buffer, buffer.count)
        if count == 0 { return result }
        guard count > 0 else {
            if errno == EINTR { continue }
            throw FileReadError(path: path, reason: String(cString: strerror(errno)))
        }
        guard result.count + count <= limit else {
            throw FileReadError(path: path, reason: "it is larger than \(limit) bytes")
        }
        result += buffer[..<count]
    }
}

extension StringProtocol {
    /// Without spaces, tabs and line ends on either side.
    var trimmingASCIISpace: String {
        func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
        let bytes = Array(utf8)
        guard let first = bytes.firstIndex(where: { !isSpace($0) }), let last = bytes.lastIndex(where: { !isSpace($0) })
        else { return "" }
        return String(decoding: bytes[first...last], as: UTF8.self)
    }
}
