/// What an extended header says of the next entry, of what matters to an artifact.
struct ArchiveRecords {
    var path: [UInt8]?
    var target: [UInt8]?
    var size: Int?
    /// There was such a header.
    private(set) var isEmpty = true

    init() {}

    /// Reads `LENGTH KEY=VALUE\n`, again and again.
    init(_ bytes: [UInt8]) throws(ArchiveError) {
        isEmpty = false
        var rest = bytes[...]
        while !rest.isEmpty {
            let digits = rest.prefix { $0 != UInt8(ascii: " ") }
            guard digits.count <= 5, let length = Int(String(decoding: digits, as: UTF8.self)),
                length > digits.count + 2, length <= rest.count, rest[rest.startIndex + length - 1] == 10
            else { throw Self.malformed }
            let record = rest.prefix(length - 1).dropFirst(digits.count + 1)
            guard let equals = record.firstIndex(of: UInt8(ascii: "=")) else { throw Self.malformed }
            try take(String(decoding: record[..<equals], as: UTF8.self), Array(record[(equals + 1)...]))
            rest = rest.dropFirst(length)
        }
    }

    private mutating func take(_ key: String, _ value: [UInt8]) throws(ArchiveError) {
        switch key {
        case "path": path = value
        case "linkpath": target = value
        case "size":
            guard value.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
                let number = Int(String(decoding: value, as: UTF8.self))
            else { throw Self.malformed }
            size = number
        default:
            // A sparse file's content is not what its size says.
            guard !key.hasPrefix("GNU.sparse") else {
                throw ArchiveError(String(decoding: path ?? [], as: UTF8.self), .unsupported("a sparse file"))
            }
        }
    }

    private static var malformed: ArchiveError { ArchiveError("", .malformed("an extended header cannot be read")) }
}
