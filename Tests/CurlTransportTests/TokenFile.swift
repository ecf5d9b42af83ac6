import Testing

#if canImport(Glibc)
import Glibc
#else
import Musl
#endif

/// A file with a token, gone with this value.
final class TokenFile: Sendable {
    let path: String

    init(_ token: String) throws {
        var name = Array("/tmp/assay-token-XXXXXX".utf8CString)
        let descriptor = mkstemp(&name)
        try #require(descriptor >= 0)
        close(descriptor)
        path = String(decoding: name.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        try write(token)
    }

    deinit { unlink(path) }

    func write(_ token: String) throws {
        let file = try #require(fopen(path, "w"))
        fputs(token, file)
        fclose(file)
    }
}
