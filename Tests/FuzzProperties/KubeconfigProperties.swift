import HTTPTransport
import JSON
import KubernetesClient
import YAML

#if canImport(Glibc)
import Glibc
#else
import Musl
#endif

enum KubeconfigProperties {
    static func check(_ input: [UInt8]) throws {
        let text = String(decoding: input, as: UTF8.self)
        try yaml(text)
        // The files that a kubeconfig names are read: let none of them be one that never ends.
        guard !["/dev", "/proc", "/sys", ".."].contains(where: text.contains) else { return }
        try withScratchFile(input) { path in
            let first = outcome(path)
            try hold("a file is read as it was before", first == outcome(path), [first])
            if case .failure(let error) = first {
                try hold("an error names the file", error.description.contains(path), [error])
            } else {
                try hold("only text is read", String(validating: input, as: UTF8.self) != nil, [first])
            }
        }
    }

    private static func outcome(_ path: String) -> Result<String, ConfigurationError> {
        do throws(ConfigurationError) {
            let read = try ClientConfiguration.kubeconfig(path: path)
            return .success("\(read.transport.server) \(read.credentials) \(read.namespace)")
        } catch {
            return .failure(error)
        }
    }

    private static func yaml(_ text: String) throws {
        let value: JSONValue
        do throws(YAMLError) {
            value = try JSONValue(yaml: text)
        } catch {
            let places = 1...(text.utf8.count + 1)
            try hold(
                "an error lies within the text", places.contains(error.line) && places.contains(error.column), [error])
            return
        }
        let canonical = value.serialized()
        try hold("what YAML gives is JSON", try JSONValue(parsing: canonical) == value, [canonical])
        // YAML folds some characters that JSON takes as they are, and bounds the length of a member's name.
        guard canonical.utf8.count < 1000, canonical.utf8.allSatisfy({ (0x20..<0x7F).contains($0) }) else { return }
        let again = try JSONValue(yaml: canonical)
        try hold("JSON is YAML of the same value", again == value, [canonical, again])
    }
}

/// Calls `body` with the path of a file with these bytes, in a directory of its own.
private func withScratchFile(_ bytes: [UInt8], _ body: (String) throws -> Void) throws {
    var template = Array("\(getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp")/assay-fuzz-XXXXXX".utf8CString)
    guard let made = mkdtemp(&template) else { throw BrokenProperty("a directory can be made", [errno]) }
    let directory = String(cString: made)
    let path = directory + "/config"
    let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL, 0o600)
    defer {
        close(descriptor)
        unlink(path)
        rmdir(directory)
    }
    guard descriptor >= 0, write(descriptor, bytes, bytes.count) == bytes.count else {
        throw BrokenProperty("a small file can be written", [path, errno])
    }
    try body(path)
}
