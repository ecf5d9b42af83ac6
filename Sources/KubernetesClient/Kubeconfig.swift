import JSON
import YAML

/// One or more kubeconfig files, merged as kubectl merges them: what comes first counts.
struct Kubeconfig {
    /// An entry with the file it came from, whose directory relative paths start from.
    struct Entry {
        var cursor: JSONCursor
        var file: String

        func failure(_ error: JSONShapeError) -> ConfigurationError {
            ConfigurationError("kubeconfig \(file): \(error)")
        }
    }

    private(set) var files: [String] = []
    private(set) var currentContext: String?
    private(set) var contexts: [String: Entry] = [:]
    private(set) var clusters: [String: Entry] = [:]
    private(set) var users: [String: Entry] = [:]

    /// Adds a file; entries that are there already stay.
    mutating func add(_ file: String, _ bytes: [UInt8]) throws(ConfigurationError) {
        files.append(file)
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw ConfigurationError("kubeconfig \(file): line \(Self.firstBadLine(bytes)) is not UTF-8")
        }
        let root: JSONCursor
        do throws(YAMLError) {
            root = JSONCursor(try JSONValue(yaml: text))
        } catch {
            throw ConfigurationError("kubeconfig \(file): \(error)")
        }
        do throws(JSONShapeError) {
            // An empty file is an empty configuration.
            guard root.exists else { return }
            _ = try root.object()
            if currentContext == nil, let name = try root["current-context"].optionalString(), !name.isEmpty {
                currentContext = name
            }
            try Self.merge(root["contexts"], "context", file, into: &contexts)
            try Self.merge(root["clusters"], "cluster", file, into: &clusters)
            try Self.merge(root["users"], "user", file, into: &users)
        } catch {
            throw ConfigurationError("kubeconfig \(file): \(error)")
        }
    }

    /// The first line that is not UTF-8, counted from 1. No character of UTF-8 has a line feed within.
    private static func firstBadLine(_ bytes: [UInt8]) -> Int {
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        return 1 + lines.prefix { String(validating: $0, as: UTF8.self) != nil }.count
    }

    private static func merge(
        _ list: JSONCursor, _ member: String, _ file: String, into table: inout [String: Entry]
    ) throws(JSONShapeError) {
        var seen: Set<String> = []
        for element in try list.elements() {
            let name = try element["name"].string()
            guard seen.insert(name).inserted else {
                throw element["name"].failure("\"\(name)\" is there twice")
            }
            if table[name] == nil { table[name] = Entry(cursor: element[member], file: file) }
        }
    }
}
