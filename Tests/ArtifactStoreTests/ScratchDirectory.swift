import Files
import Glibc

/// An empty directory that goes when it is no longer held.
final class ScratchDirectory: Sendable {
    let path: String

    init() throws {
        var template = Array("/tmp/assay-artifacts-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw FileError("make directory", "/tmp/assay-artifacts-XXXXXX") }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        do { try FileSystem.remove(path) } catch { print(error) }
    }
}
