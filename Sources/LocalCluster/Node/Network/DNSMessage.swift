/// A DNS question, read from a message (RFC 1035 §4).
struct DNSQuery: Sendable, Hashable {
    var id: UInt16
    var isRecursionDesired: Bool
    /// Lower-case.
    var name: [String]
    var type: UInt16
    /// The question as it was asked, which the answer repeats.
    var question: [UInt8]
    /// The datagram that the client takes, where it uses extensions (RFC 6891).
    var datagramLimit: Int?

    /// Nil for what is no query with one question of the class Internet.
    init?(_ message: [UInt8]) {
        func word(_ at: Int) -> UInt16? {
            at + 1 < message.count ? UInt16(message[at]) << 8 | UInt16(message[at + 1]) : nil
        }
        guard let id = word(0), let flags = word(2), flags & 0xf800 == 0, word(4) == 1 else { return nil }
        self.id = id
        isRecursionDesired = flags & 0x0100 != 0
        name = []
        var at = 12
        while at < message.count, message[at] != 0 {
            let length = Int(message[at])
            // A question has nothing before it to point to.
            guard length < 64, at + 1 + length < message.count else { return nil }
            name.append(String(decoding: message[(at + 1)...(at + length)], as: UTF8.self).lowercased())
            at += length + 1
        }
        // A name takes at most 255 bytes, its end included.
        guard at - 12 < 255, let type = word(at + 1), word(at + 3) == 1 else { return nil }
        self.type = type
        let end = at + 5
        question = Array(message[12..<end])
        // The one record of a query that is of concern: that of the root with the type OPT.
        if word(6) == 0, word(8) == 0, word(10) == 1, end < message.count, message[end] == 0,
            word(end + 1) == DNSRecord.typeOPT, let size = word(end + 3), word(end + 9) != nil
        {
            datagramLimit = Int(size)
        }
    }
}

/// A record of an answer.
struct DNSRecord: Sendable, Hashable {
    enum Value: Sendable, Hashable {
        /// Four bytes.
        case address([UInt8])
        case service(port: Int, target: [String])
        case alias([String])
        case authority(server: [String], mailbox: [String])
    }

    static let typeA: UInt16 = 1
    static let typeCNAME: UInt16 = 5
    static let typeSOA: UInt16 = 6
    static let typeSRV: UInt16 = 33
    static let typeOPT: UInt16 = 41

    /// Seconds that clients may keep a record; services' addresses do not change but those of headless ones do.
    static let timeToLive: UInt32 = 5

    /// Nil for the name that was asked for.
    var name: [String]?
    var value: Value

    /// Nil where the text is no IPv4 address.
    init?(name: [String]? = nil, address: String) {
        let parts = address.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
        let bytes = parts.compactMap { $0 }
        guard bytes.count == 4, parts.count == 4 else { return nil }
        self.init(name: name, .address(bytes))
    }

    init(name: [String]? = nil, _ value: Value) {
        self.name = name
        self.value = value
    }

    var type: UInt16 {
        switch value {
        case .address: Self.typeA
        case .service: Self.typeSRV
        case .alias: Self.typeCNAME
        case .authority: Self.typeSOA
        }
    }

    fileprivate var bytes: [UInt8] {
        let data: [UInt8]
        switch value {
        case .address(let bytes): data = bytes
        case .service(let port, let target):
            // Priority 0, and all of the same weight.
            data = Bytes.words(0, 100, UInt16(clamping: port)) + Bytes.name(target)
        case .alias(let target): data = Bytes.name(target)
        case .authority(let server, let mailbox):
            let times = [1, 7200, 1800, 86400, Self.timeToLive].flatMap(Bytes.double)
            data = Bytes.name(server) + Bytes.name(mailbox) + times
        }
        let owner = name.map(Bytes.name) ?? [0xc0, 0x0c]
        return owner + Bytes.words(type, 1) + Bytes.double(Self.timeToLive) + Bytes.words(UInt16(data.count)) + data
    }
}

/// What a server says to a question.
struct DNSAnswer: Sendable, Hashable {
    enum Code: UInt16, Sendable, Hashable {
        case noError = 0
        case noSuchName = 3
    }

    var code = Code.noError
    var answers: [DNSRecord] = []
    /// Of the zone, where there are no answers: it says how long clients may remember that.
    var authority: [DNSRecord] = []
    /// What the client is going to ask next; it may be left out.
    var additional: [DNSRecord] = []

    /// The limit of a datagram without extensions, and the one that is kept with them so that it is not cut up on the
    /// way.
    private static let datagramLimits = 512...1232

    /// The datagram that answers the query. One that does not hold all answers says so, and the client comes again by
    /// TCP.
    func datagram(to query: DNSQuery) -> [UInt8] {
        let limits = Self.datagramLimits
        return message(
            to: query,
            limit: query.datagramLimit.map { min(max($0, limits.lowerBound), limits.upperBound) }
                ?? limits.lowerBound)
    }

    /// - Parameter limit: in bytes; by default what a message over TCP can be.
    func message(to query: DNSQuery, limit: Int = 65_535) -> [UInt8] {
        let extensions = query.datagramLimit == nil ? [] : Self.extensions
        var room = limit - 12 - query.question.count - extensions.count
        var body: [UInt8] = []
        /// How many of the records fit.
        func add(_ records: [DNSRecord]) -> Int {
            for (index, record) in records.enumerated() {
                let bytes = record.bytes
                if bytes.count > room { return index }
                room -= bytes.count
                body += bytes
            }
            return records.count
        }
        let counts = [add(answers), add(authority), add(additional)]
        let isTruncated = counts[0] < answers.count || counts[1] < authority.count
        // A response with authority.
        var flags: UInt16 = 0x8400 | code.rawValue
        if isTruncated { flags |= 0x0200 }
        if query.isRecursionDesired { flags |= 0x0180 }
        let extra = counts[2] + (extensions.isEmpty ? 0 : 1)
        let head = Bytes.words(query.id, flags, 1, UInt16(counts[0]), UInt16(counts[1]), UInt16(extra))
        return head + query.question + body + extensions
    }

    /// The record that says that extensions are known here.
    private static let extensions: [UInt8] =
        [0] + Bytes.words(DNSRecord.typeOPT, UInt16(datagramLimits.upperBound), 0, 0, 0)
}

/// Numbers and names as messages have them.
private enum Bytes {
    static func words(_ words: UInt16...) -> [UInt8] { words.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xff)] } }

    static func double(_ word: UInt32) -> [UInt8] { words(UInt16(word >> 16), UInt16(word & 0xffff)) }

    static func name(_ labels: [String]) -> [UInt8] {
        labels.flatMap { label in
            let bytes = Array(label.utf8.prefix(63))
            return [UInt8(bytes.count)] + bytes
        } + [0]
    }
}
