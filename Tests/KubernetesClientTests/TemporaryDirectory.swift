import Testing

#if canImport(Glibc)
import Glibc
#else
import Musl
#endif

/// A directory that goes with its last owner.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        var template = Array("/tmp/assay-test-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        for name in [
            "token", "ca.crt", "namespace", "config", "second", "sub/config", "sub/ca.pem", "key.pem", "crt.pem",
        ] {
            unlink("\(path)/\(name)")
        }
        rmdir(path + "/sub")
        rmdir(path)
    }

    @discardableResult
    func write(_ name: String, _ content: String) throws -> String {
        if name.hasPrefix("sub/") { mkdir(path + "/sub", 0o700) }
        let file = "\(path)/\(name)"
        let stream = try #require(fopen(file, "w"))
        fputs(content, stream)
        fclose(stream)
        return file
    }

    func remove(_ name: String) throws { try #require(unlink("\(path)/\(name)") == 0) }
}
