import Files
import FoundationEssentials
import Glibc

/// A directory for as long as a command needs it.
struct TemporaryPlace {
    let path: String

    init() throws {
        let parent = ProcessInfo.processInfo.environment["TMPDIR"] ?? "/tmp"
        var template = Array("\(parent)/assay.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw FileError("make a directory in", parent) }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    func remove() {
        do { try FileSystem.remove(path) } catch { StandardError.say("\(error)") }
    }
}
