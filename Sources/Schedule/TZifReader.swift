/// Why bytes are no time zone.
public struct TZifError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What is wrong with them.
    public let description: String

    init(_ description: String) { self.description = description }
}

extension TimeZoneData {
    /// More bytes than any zone has: the largest of the IANA database have about four thousand.
    public static let mostBytes = 1 << 16

    /// Reads a TZif file of version 1 to 4 (RFC 9636). Whatever is against its rules is an error, and so are leap seconds,
    /// which the time of Kubernetes has not.
    public init(tzif bytes: [UInt8]) throws(TZifError) {
        guard bytes.count <= Self.mostBytes else { throw TZifError("it is longer than \(Self.mostBytes) bytes") }
        var reader = TZifReader(bytes)
        self = try reader.zone()
    }
}

private struct TZifReader {
    private let bytes: [UInt8]
    private var index = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    private struct Header {
        /// 1 to 4.
        let version: Int
        let universalFlags: Int
        let standardFlags: Int
        let leapSeconds: Int
        let changes: Int
        let kinds: Int
        let nameBytes: Int

        /// Of what follows the header, where a moment has that many bytes.
        func size(moment: Int) -> Int {
            changes * (moment + 1) + kinds * 6 + nameBytes + leapSeconds * (moment + 4) + standardFlags + universalFlags
        }
    }

    mutating func zone() throws(TZifError) -> TimeZoneData {
        let first = try header()
        guard first.version > 1 else {
            let (zone, _) = try block(first, moment: 4)
            guard index == bytes.count else { throw TZifError("there are bytes after its end") }
            return zone
        }
        // What readers of version 1 take is passed over.
        try skip(first.size(moment: 4))
        let second = try header()
        guard second.version == first.version else { throw TZifError("its two headers are of different versions") }
        let (zone, hasChanges) = try block(second, moment: 8)
        guard let rule = try footer(isExtended: second.version > 2) else { return zone }
        return TimeZoneData(
            initialOffset: hasChanges ? zone.initialOffset : rule.standard, changes: zone.changes, rule: rule)
    }

    // MARK: Parts

    private mutating func header() throws(TZifError) -> Header {
        guard try take(4).elementsEqual("TZif".utf8) else { throw TZifError("it does not begin as a TZif file does") }
        let version: Int
        switch try byte() {
        case 0: version = 1
        case let digit where (UInt8(ascii: "2")...UInt8(ascii: "4")).contains(digit):
            version = Int(digit - UInt8(ascii: "0"))
        case let other: throw TZifError("its version \(other) is not known")
        }
        try skip(15)
        let universalFlags = try count(), standardFlags = try count(), leapSeconds = try count()
        let result = Header(
            version: version, universalFlags: universalFlags, standardFlags: standardFlags, leapSeconds: leapSeconds,
            changes: try count(), kinds: try count(), nameBytes: try count())
        return result
    }

    private mutating func block(_ header: Header, moment size: Int) throws(TZifError) -> (TimeZoneData, Bool) {
        guard (1...256).contains(header.kinds), header.nameBytes > 0 else {
            throw TZifError("it has \(header.kinds) kinds of local time and \(header.nameBytes) bytes of names")
        }
        guard header.leapSeconds == 0 else { throw TZifError("it counts leap seconds; use the zone outside of right/") }
        guard [0, header.kinds].contains(header.standardFlags), [0, header.kinds].contains(header.universalFlags) else {
            throw TZifError("it has not one flag for each kind of local time")
        }
        let moments = try moments(header.changes, size: size)
        let kinds = try take(header.changes)
        let offsets = try offsets(header)
        guard try take(header.nameBytes).last == 0 else { throw TZifError("its last name has no end") }
        try flags(header)
        var changes: [TimeZoneData.Change] = []
        for (moment, kind) in zip(moments, kinds) {
            guard Int(kind) < offsets.count else {
                throw TZifError("a change is to a kind of local time that it has not")
            }
            changes.append(.init(moment: moment, offset: offsets[Int(kind)]))
        }
        return (TimeZoneData(initialOffset: offsets[0], changes: changes), !changes.isEmpty)
    }

    private mutating func moments(_ count: Int, size: Int) throws(TZifError) -> [Int64] {
        var result: [Int64] = []
        for _ in 0..<count {
            let moment = size == 4 ? Int64(try int32()) : try int64()
            guard TimeZoneData.moments.contains(moment) else {
                throw TZifError("a change is before or after all times")
            }
            guard result.last.map({ $0 < moment }) ?? true else { throw TZifError("its changes are not in order") }
            result.append(moment)
        }
        return result
    }

    private mutating func offsets(_ header: Header) throws(TZifError) -> [Int64] {
        var result: [Int64] = []
        for _ in 0..<header.kinds {
            let offset = Int64(try int32())
            // RFC 9636 names these bounds as those that readers may rely on.
            guard (-89_999...93_599).contains(offset) else {
                throw TZifError("\(offset) seconds are no offset from UTC")
            }
            guard try byte() <= 1 else { throw TZifError("a flag of summer time is neither 0 nor 1") }
            guard Int(try byte()) < header.nameBytes else { throw TZifError("a name is outside of its names") }
            result.append(offset)
        }
        return result
    }

    /// In which clock the changes were once written down. Only that it is well formed matters.
    private mutating func flags(_ header: Header) throws(TZifError) {
        let standard = Array(try take(header.standardFlags))
        let universal = Array(try take(header.universalFlags))
        guard (standard + universal).allSatisfy({ $0 <= 1 }) else { throw TZifError("a flag is neither 0 nor 1") }
        for (index, flag) in universal.enumerated() where flag == 1 {
            guard index < standard.count, standard[index] == 1 else {
                throw TZifError("a kind of local time is in universal time and not in standard time")
            }
        }
    }

    private mutating func footer(isExtended: Bool) throws(TZifError) -> PosixZone? {
        guard try byte() == UInt8(ascii: "\n") else { throw TZifError("its footer does not begin with a new line") }
        guard bytes.last == UInt8(ascii: "\n"), index < bytes.count else { throw TZifError("its footer has no end") }
        let text = bytes[index..<(bytes.count - 1)]
        guard text.allSatisfy({ (0x20..<0x7F).contains($0) }) else {
            throw TZifError("its footer is not a line of text")
        }
        guard text.count <= 256 else { throw TZifError("its footer is longer than 256 bytes") }
        return text.isEmpty
            ? nil : try PosixZoneReader.read(String(decoding: text, as: UTF8.self), isExtended: isExtended)
    }

    // MARK: Bytes

    private mutating func take(_ count: Int) throws(TZifError) -> ArraySlice<UInt8> {
        guard count <= bytes.count - index else { throw TZifError("it ends early, after \(bytes.count) bytes") }
        defer { index += count }
        return bytes[index..<(index + count)]
    }

    private mutating func skip(_ count: Int) throws(TZifError) { _ = try take(count) }

    private mutating func byte() throws(TZifError) -> UInt8 {
        let taken = try take(1)
        return taken[taken.startIndex]
    }

    private mutating func int32() throws(TZifError) -> Int32 {
        Int32(bitPattern: try take(4).reduce(0) { $0 << 8 | UInt32($1) })
    }

    private mutating func int64() throws(TZifError) -> Int64 {
        Int64(bitPattern: try take(8).reduce(0) { $0 << 8 | UInt64($1) })
    }

    /// Not more than there are bytes, whatever is counted.
    private mutating func count() throws(TZifError) -> Int {
        let value = UInt32(bitPattern: try int32())
        guard value <= UInt32(bytes.count) else { throw TZifError("it counts \(value) of what has no room in it") }
        return Int(value)
    }
}
