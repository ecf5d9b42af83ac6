/// What a plain header says.
struct ArchiveFields {
    var path: [UInt8]
    var target: [UInt8]
    var type: UInt8
    var mode: Int
    var size: Int

    init(_ block: [UInt8]) throws(ArchiveError) {
        guard block[257..<262].elementsEqual("ustar".utf8) else {
            throw ArchiveError("", .malformed("a header is not that of a tar archive"))
        }
        guard try Self.octal(block[148..<156]) == ArchiveHeader.checksum(block) else {
            throw ArchiveError("", .malformed("a header's checksum is wrong"))
        }
        let name = block[0..<100].prefix { $0 != 0 }
        // GNU's own format has times there.
        let hasPrefix = block[262] == 0
        let prefix = hasPrefix ? block[345..<500].prefix { $0 != 0 } : []
        path = prefix.isEmpty ? Array(name) : prefix + [ArchivePath.slash] + name
        target = Array(block[157..<257].prefix { $0 != 0 })
        type = block[156]
        mode = try Self.octal(block[100..<108])
        size = try Self.octal(block[124..<136])
    }

    /// The entry, with what an extended header before it says.
    func entry(_ records: ArchiveRecords) throws(ArchiveError) -> ArchiveEntry {
        let path = try Self.text(records.path ?? path)
        let size = records.size ?? size
        let kind: ArchiveEntry.Kind
        switch type {
        case 0, UInt8(ascii: "0"):
            guard path.utf8.last != ArchivePath.slash else {
                throw ArchiveError(path, .malformed("a file's name ends with a slash"))
            }
            kind = .file(size: size, isExecutable: mode & 0o100 != 0)
        case UInt8(ascii: "5"): kind = .directory
        case UInt8(ascii: "2"): kind = .link(target: try Self.text(records.target ?? target))
        default: throw ArchiveError(path, .unsupported(Self.name(of: type)))
        }
        if size != 0, kind == .directory || type == UInt8(ascii: "2") {
            throw ArchiveError(path, .malformed("what is no file has a content"))
        }
        return try ArchiveEntry(ArchivePath(path), kind)
    }

    private static func text(_ bytes: [UInt8]) throws(ArchiveError) -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw ArchiveError(String(decoding: bytes, as: UTF8.self), .notText)
        }
        return text
    }

    private static func name(of type: UInt8) -> String {
        switch type {
        case UInt8(ascii: "1"): "a hard link"
        case UInt8(ascii: "3"): "a character device"
        case UInt8(ascii: "4"): "a block device"
        case UInt8(ascii: "6"): "a named pipe"
        case UInt8(ascii: "g"): "a header for all that follows"
        case UInt8(ascii: "S"): "a sparse file"
        case UInt8(ascii: "L"), UInt8(ascii: "K"): "a long name in GNU's own format (write it with --format=pax)"
        default: "of the unknown type \(type)"
        }
    }

    /// Digits, ended by a blank or zero; an empty field is 0.
    private static func octal(_ field: ArraySlice<UInt8>) throws(ArchiveError) -> Int {
        var value = 0
        let digits = field.drop { $0 == UInt8(ascii: " ") }.prefix { $0 != 0 && $0 != UInt8(ascii: " ") }
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "7")).contains(digit) else {
                throw ArchiveError("", .malformed("a number in a header is not octal"))
            }
            value = value * 8 + Int(digit - UInt8(ascii: "0"))
        }
        return value
    }
}
