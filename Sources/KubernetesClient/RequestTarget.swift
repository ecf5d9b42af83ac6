import KubernetesModel

/// An origin-form target in the making: a path of validated segments and an encoded query.
struct RequestTarget {
    private(set) var path: String
    private var query: [String] = []

    init(path: String) { self.path = path }

    /// The path of a kind, or of one object of it.
    init(
        _ type: ResourceType, namespace: String?, name: String? = nil, subresource: String? = nil
    ) throws(InvalidPathSegment) {
        var names: [String?] = []
        for segment in [type.isNamespaced ? namespace : nil, name, subresource] {
            guard let segment else {
                names.append(nil)
                continue
            }
            names.append(try Self.encodedSegment(segment))
        }
        if type.isNamespaced, name != nil, namespace == nil { throw .missingNamespace(kind: type.kind) }
        path = type.path(namespace: names[0], name: names[1], subresource: names[2])
    }

    mutating func add(_ name: String, _ value: String?) {
        guard let value else { return }
        query.append(name + "=" + Self.encoded(value, keeping: Self.unreserved))
    }

    mutating func add(_ options: WriteOptions, fieldManager: String) {
        add("fieldManager", fieldManager)
        add("dryRun", options.dryRun ? "All" : nil)
        add("fieldValidation", options.fieldValidation?.rawValue)
    }

    var text: String { query.isEmpty ? path : path + "?" + query.joined(separator: "&") }

    /// A name as one path segment, by the rule of the API server's `IsValidPathSegmentName`.
    private static func encodedSegment(_ name: String) throws(InvalidPathSegment) -> String {
        guard !name.isEmpty else { throw .invalid(name, "is empty") }
        guard name != "." && name != ".." else { throw .invalid(name, "leads elsewhere") }
        guard !name.utf8.contains(where: { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "%") }) else {
            throw .invalid(name, "contains '/' or '%'")
        }
        guard name.utf8.count <= 253 else { throw .invalid(String(name.prefix(40)) + "…", "is longer than 253") }
        return encoded(name, keeping: unreserved.union(Set(":@!$&'()*+,;=".utf8)))
    }

    /// RFC 3986 §2.3.
    private static let unreserved = Set(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~".utf8)

    private static func encoded(_ text: String, keeping kept: Set<UInt8>) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var result: [UInt8] = []
        for byte in text.utf8 {
            if kept.contains(byte) {
                result.append(byte)
            } else {
                result += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}

/// Why a name cannot stand in a path.
enum InvalidPathSegment: Error, CustomStringConvertible {
    case invalid(String, String)
    case missingNamespace(kind: String)

    var description: String {
        switch self {
        case .invalid(let name, let reason): "the name \"\(name)\" \(reason)"
        case .missingNamespace(let kind): "a \(kind) lives in a namespace, and none was given"
        }
    }
}
