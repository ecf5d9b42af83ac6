/// A DNS question, read from a message (RFC 1035 §4).
struct DNSQuery: Sendable, Hashable {
    static let typeA: UInt16 = 1
    static let typeAAAA: UInt16 = 28

    var id: UInt16
    var isRecursionDesired: Bool
    /// Lower-case, without the final dot.
    var name: String
    var type: UInt16
    /// The question as it was asked, which the answer repeats.
    var question: [UInt8]

    /// Nil for what is no query with one question of the class Internet.
    init?(_ message: [UInt8]) {
        func word(_ at: Int) -> UInt16? {
            at + 1 < message.count ? UInt16(message[at]) << 8 | UInt16(message[at + 1]) : nil
        }
        guard let id = word(0), let flags = word(2), flags & 0xf800 == 0, word(4) == 1 else { return nil }
        self.id = id
        isRecursionDesired = flags & 0x0100 != 0
        var labels: [String] = []
        var at = 12
        while at < message.count, message[at] != 0 {
            let length = Int(message[at])
            // A question has nothing before it to point to.
            guard length < 64, at + 1 + length < message.count else { return nil }
            labels.append(String(decoding: message[(at + 1)...(at + length)], as: UTF8.self).lowercased())
            at += length + 1
        }
        guard labels.count <= 127, let type = word(at + 1), word(at + 3) == 1 else { return nil }
        self.type = type
        name = labels.joined(separator: ".")
        question = Array(message[12..<(at + 5)])
    }
}

/// What a name stands for.
enum DNSAnswer: Sendable, Hashable {
    /// IPv4 addresses; none where the name exists without such.
    case addresses([String])
    case noSuchName

    /// Seconds that clients may keep an answer; services' addresses do not change but those of headless ones do.
    private static let timeToLive: UInt32 = 5

    /// The message that answers the query.
    func message(to query: DNSQuery) -> [UInt8] {
        var addresses: [[UInt8]] = []
        var code: UInt16 = 0
        switch self {
        case .addresses(let all):
            if query.type == DNSQuery.typeA {
                // What fits into 512 bytes, the limit without extensions.
                addresses = all.compactMap(Self.bytes).prefix((512 - 12 - query.question.count) / 16).map { $0 }
            }
        case .noSuchName: code = 3
        }
        let flags: UInt16 = 0x8400 | (query.isRecursionDesired ? 0x0180 : 0) | code
        var message: [UInt8] = []
        for word in [query.id, flags, 1, UInt16(addresses.count), 0, 0] { Self.append(word, to: &message) }
        message += query.question
        for address in addresses {
            Self.append(0xc00c, to: &message)
            Self.append(DNSQuery.typeA, to: &message)
            Self.append(1, to: &message)
            Self.append(UInt16(Self.timeToLive >> 16), to: &message)
            Self.append(UInt16(Self.timeToLive & 0xffff), to: &message)
            Self.append(4, to: &message)
            message += address
        }
        return message
    }

    private static func append(_ word: UInt16, to message: inout [UInt8]) {
        message += [UInt8(word >> 8), UInt8(word & 0xff)]
    }

    private static func bytes(_ address: String) -> [UInt8]? {
        let parts = address.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
        let bytes = parts.compactMap { $0 }
        return bytes.count == 4 && parts.count == 4 ? bytes : nil
    }
}
