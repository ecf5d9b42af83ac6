import Concurrency
import Testing

#if canImport(Glibc)
import Glibc
#else
import Musl
#endif

/// A directory that goes with its last owner.
final class TemporaryDirectory: Sendable {
    let path: String
    private let made = Locked<Set<String>>([])

    init() throws {
        var template = Array("/tmp/assay-test-XXXXXX".utf8CString)
        try #require(mkdtemp(&template) != nil)
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        // Children before the directories that they are in.
        for name in made.withLock({ $0 }).sorted(by: >) {
            let file = "\(path)/\(name)"
            if unlink(file) != 0 { rmdir(file) }
        }
        rmdir(path)
    }

    /// Writes a file in place, in directories that are made as needed.
    @discardableResult
    func write(_ name: String, _ content: String, mode: mode_t = 0o600) throws -> String {
        let parts = name.split(separator: "/")
        for count in 1..<max(parts.count, 1) {
            let directory = parts.prefix(count).joined(separator: "/")
            mkdir("\(path)/\(directory)", 0o700)
            made.withLock { _ = $0.insert(directory) }
        }
        let file = "\(path)/\(name)"
        let stream = try #require(fopen(file, "w"))
        fputs(content, stream)
        fclose(stream)
        chmod(file, mode)
        made.withLock { _ = $0.insert(name) }
        return file
    }

    /// Makes a symbolic link, or points one elsewhere in one step, as kubelet does.
    func link(_ name: String, to target: String) throws {
        try #require(symlink(target, "\(path)/\(name).new") == 0)
        try #require(rename("\(path)/\(name).new", "\(path)/\(name)") == 0)
        made.withLock { _ = $0.insert(name) }
    }

    func remove(_ name: String) throws { try #require(unlink("\(path)/\(name)") == 0) }
}
