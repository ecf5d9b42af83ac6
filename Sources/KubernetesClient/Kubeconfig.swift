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
        let root: JSONCursor
        do throws(YAMLError) {
            root = JSONCursor(try JSONValue(yaml: String(decoding: bytes, as: UTF8.self)))
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
