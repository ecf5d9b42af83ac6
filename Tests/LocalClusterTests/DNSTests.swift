import JSON
import Logging
import Testing

@testable import LocalCluster

/// Numbers that look random and are the same in every run (SplitMix64).
private struct Numbers: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}

/// An answer as a client reads it, by a reader that shares nothing with the server's writer.
private struct Reply {
    struct Record: Equatable {
        var type: Int
        var timeToLive: Int
        var data: [UInt8]
    }

    var id: Int
    var flags: Int
    var questionEnd: Int
    var answers: [Record] = []
    var authorities: [Record] = []
    var additional: [Record] = []

    var code: Int { flags & 0xf }
    var isTruncated: Bool { flags & 0x0200 != 0 }

    /// Nil where the message is not well-formed to its last byte.
    init?(_ bytes: [UInt8]) {
        func word(_ at: Int) -> Int? { at + 1 < bytes.count ? Int(bytes[at]) * 256 + Int(bytes[at + 1]) : nil }
        func endOfName(_ start: Int) -> Int? {
            var at = start
            while at < bytes.count {
                if bytes[at] == 0 { return at + 1 }
                if bytes[at] >= 0xc0 { return at + 2 }
                at += Int(bytes[at]) + 1
            }
            return nil
        }
        guard let id = word(0), let flags = word(2), word(4) == 1, let answerCount = word(6),
            let authorityCount = word(8), let additionalCount = word(10), let nameEnd = endOfName(12)
        else { return nil }
        (self.id, self.flags, questionEnd) = (id, flags, nameEnd + 4)
        var at = questionEnd
        for number in 0..<(answerCount + authorityCount + additionalCount) {
            guard let fixed = endOfName(at), let type = word(fixed), let low = word(fixed + 6),
                let length = word(fixed + 8), fixed + 10 + length <= bytes.count
            else { return nil }
            let data = Array(bytes[(fixed + 10)..<(fixed + 10 + length)])
            let record = Record(type: type, timeToLive: low, data: data)
            if number < answerCount {
                answers.append(record)
            } else if number < answerCount + authorityCount {
                authorities.append(record)
            } else {
                additional.append(record)
            }
            at = fixed + 10 + length
        }
        if at != bytes.count { return nil }
    }
}

@Suite struct DNSTests {
    private static let domain = "cluster.local"

    private static func service(_ name: String, address: String, _ spec: JSONValue = [:]) -> JSONValue {
        let base: JSONValue = [
            "metadata": ["name": .string(name), "namespace": "ml"],
            "spec": ["clusterIP": .string(address), "ports": [["name": "http", "port": 80]]],
        ]
        return base.merging(patch: ["spec": spec])
    }

    private static func slice(_ service: String, _ endpoints: [JSONValue], type: String = "IPv4") -> JSONValue {
        [
            "metadata": [
                "name": .string("\(service)-1"), "namespace": "ml",
                "labels": ["kubernetes.io/service-name": .string(service)],
            ],
            "addressType": .string(type), "endpoints": .array(endpoints),
            "ports": [["name": "http", "port": 8080]],
        ]
    }

    private static func endpoint(_ address: String, ready: Bool, hostname: String? = nil) -> JSONValue {
        var result: JSONValue = ["addresses": [.string(address)], "conditions": ["ready": .bool(ready)]]
        result["hostname"] = JSONValue(hostname)
        return result
    }

    private static let table = ServiceTable(
        services: [
            service("wine", address: "10.96.0.9"), service("workers", address: "None"),
            service(
                "other", address: "", ["type": "ExternalName", "externalName": "Wine.example.com", "ports": .null]),
            service("all", address: "None", ["publishNotReadyAddresses": true]),
            service("many", address: "None"), service("plain", address: "None"),
        ],
        slices: [
            slice("wine", [endpoint("10.244.1.2", ready: true)]),
            slice(
                "workers",
                [
                    endpoint("10.244.1.4", ready: true, hostname: "worker-0"),
                    endpoint("10.244.1.5", ready: false, hostname: "worker-1"),
                ]),
            slice("workers", [endpoint("fd00::1", ready: true)], type: "IPv6"),
            slice("all", [endpoint("10.244.1.6", ready: false, hostname: "a")]),
            slice("plain", [endpoint("10.244.1.7", ready: true)]),
            slice("many", (1...200).map { endpoint("10.244.2.\($0)", ready: true) }),
        ])

    private static func query(_ name: String, type: UInt16 = 1) -> [UInt8] {
        var message: [UInt8] = [0x12, 0x34, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0]
        for label in name.split(separator: ".") { message += [UInt8(label.utf8.count)] + Array(label.utf8) }
        return message + [0, UInt8(type >> 8), UInt8(type & 0xff), 0, 1]
    }

    /// What the server sends for a datagram; nil for nothing.
    private static func reply(_ datagram: [UInt8]) -> [UInt8]? {
        guard let query = DNSQuery(datagram) else { return nil }
        return DNSZone(table, domain: domain).answer(to: query).datagram(to: query)
    }

    private static func answer(_ datagram: [UInt8]) throws -> Reply {
        let bytes = try #require(reply(datagram))
        return try #require(Reply(bytes))
    }

    @Test(arguments: [
        ("wine.ml.svc.cluster.local", 0, ["10.96.0.9"]),
        ("WINE.Ml.SVC.cluster.LOCAL", 0, ["10.96.0.9"]),
        ("workers.ml.svc.cluster.local", 0, ["10.244.1.4"]),
        ("worker-0.workers.ml.svc.cluster.local", 0, ["10.244.1.4"]),
        ("worker-1.workers.ml.svc.cluster.local", 3, []),
        ("a.all.ml.svc.cluster.local", 0, ["10.244.1.6"]),
        ("none.ml.svc.cluster.local", 3, []), ("wine.ml.pod.cluster.local", 3, []),
        ("9.0.96.10.in-addr.arpa", 3, []),
    ])
    func `a client reads the addresses of services and of their endpoints`(
        _ name: String, _ code: Int, _ addresses: [String]
    ) throws {
        let reply = try Self.answer(Self.query(name))
        #expect(reply.id == 0x1234)
        #expect(reply.flags & 0x8000 != 0 && reply.flags & 0x0400 != 0)
        #expect(reply.code == code)
        #expect(reply.answers.map { $0.data.map(String.init).joined(separator: ".") } == addresses)
        #expect(reply.answers.allSatisfy { $0.type == 1 && $0.timeToLive == 5 })
    }

    /// A name as a message has it.
    private static func wire(_ name: String) -> [UInt8] {
        name.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) } + [0]
    }

    @Test(arguments: [UInt16(28), 33, 16, 15, 65])
    func `a name that exists has no records of other types, and is no error`(_ type: UInt16) throws {
        for name in ["wine.ml.svc.cluster.local", "ml.svc.cluster.local", "_tcp.wine.ml.svc.cluster.local"] {
            let reply = try Self.answer(Self.query(name, type: type))
            #expect(reply.code == 0)
            #expect(reply.answers.isEmpty)
            #expect(reply.authorities.map(\.type) == [6], "the client learns how long to remember it")
        }
    }

    @Test func `of a name that does not exist the client learns how long that holds`() throws {
        let reply = try Self.answer(Self.query("none.ml.svc.cluster.local"))
        #expect(reply.code == 3)
        let authority = try #require(reply.authorities.first)
        #expect((authority.type, authority.timeToLive) == (6, 5))
        #expect(Array(authority.data.suffix(4)) == [0, 0, 0, 5])
        let beyond = try Self.answer(Self.query("example.com"))
        #expect(beyond.code == 3 && beyond.authorities.isEmpty)
    }

    @Test(arguments: [
        ("_http._tcp.wine.ml.svc.cluster.local", 0, [(80, "wine.ml.svc.cluster.local", "10.96.0.9")]),
        (
            "_HTTP._TCP.workers.ml.svc.cluster.local", 0,
            [(8080, "worker-0.workers.ml.svc.cluster.local", "10.244.1.4")]
        ),
        (
            "_http._tcp.plain.ml.svc.cluster.local", 0,
            [(8080, "10-244-1-7.plain.ml.svc.cluster.local", "10.244.1.7")]
        ),
        ("_http._udp.wine.ml.svc.cluster.local", 3, []), ("_none._tcp.wine.ml.svc.cluster.local", 3, []),
    ])
    func `a named port is found with its host and number`(
        _ name: String, _ code: Int, _ found: [(Int, String, String)]
    ) throws {
        let reply = try Self.answer(Self.query(name, type: 33))
        #expect(reply.code == code)
        let expected = found.map { [0, 0, 0, 100, UInt8($0.0 / 256), UInt8($0.0 % 256)] + Self.wire($0.1) }
        #expect(reply.answers.map(\.data) == expected)
        #expect(reply.answers.allSatisfy { $0.type == 33 })
        #expect(reply.additional.map { $0.data.map(String.init).joined(separator: ".") } == found.map(\.2))
    }

    @Test func `an external name is an alias`() throws {
        let reply = try Self.answer(Self.query("other.ml.svc.cluster.local"))
        #expect(reply.answers.map(\.type) == [5])
        #expect(reply.answers.map(\.data) == [Self.wire("wine.example.com")])
    }

    @Test(arguments: [(nil, 512), (100, 512), (800, 800), (65_535, 1232)] as [(Int?, Int)])
    func `an answer keeps to what fits the client's datagram, and says that there is more`(
        _ size: Int?, _ limit: Int
    ) throws {
        var message = Self.query("many.ml.svc.cluster.local")
        if let size {
            message[11] = 1
            message += [0, 0, 41, UInt8(size / 256), UInt8(size % 256), 0, 0, 0, 0, 0, 0]
        }
        let bytes = try #require(Self.reply(message))
        #expect(bytes.count <= limit && bytes.count > limit - 16)
        let reply = try #require(Reply(bytes))
        #expect(reply.isTruncated)
        #expect(reply.additional.map(\.type) == (size == nil ? [] : [41]))
    }

    @Test func `a query with EDNS is answered with it`() throws {
        var message = Self.query("wine.ml.svc.cluster.local")
        message[11] = 1
        message += [0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0]
        let reply = try Self.answer(message)
        #expect(reply.answers.count == 1 && !reply.isTruncated)
        #expect(reply.additional.map(\.type) == [41])
    }

    /// A question of more than 500 bytes left fewer than none for its answers.
    @Test func `a name longer than names may be gets no answer`() throws {
        let long = Array(repeating: String(repeating: "a", count: 63), count: 8).joined(separator: ".")
        #expect(Self.reply(Self.query(long)) == nil)
        let labels = Array(repeating: String(repeating: "a", count: 61), count: 4)
        let longest = labels.joined(separator: ".") + ".abcd"
        #expect(Self.wire(longest).count == 254)
        #expect(try Self.answer(Self.query(longest)).code == 3)
        #expect(Self.reply(Self.query(longest + "ef")) == nil)
    }

    @Test func `a truncated answer is had in full over a connection`() async throws {
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let zone = DNSZone(Self.table, domain: Self.domain)
        let server = try await NameServer.listen(
            on: "127.0.0.1", port: 0, logger: logger, answer: zone.answer)
        let client = try await LoopbackSocket.connect("127.0.0.1", try #require(server.port))
        let (query, second) = (Self.query("many.ml.svc.cluster.local"), Self.query("wine.ml.svc.cluster.local"))
        // Two queries, in pieces that end nowhere in particular.
        let stream = [query, second].flatMap { [UInt8($0.count / 256), UInt8($0.count % 256)] + $0 }
        for piece in [stream[..<1], stream[1..<20], stream[20...]] { try await client.send(Array(piece)) }
        var received: [UInt8] = []
        var replies: [Reply] = []
        while replies.count < 2 {
            let more = try await client.receive()
            try #require(!more.isEmpty)
            received += more
            while received.count >= 2, received.count >= 2 + Int(received[0]) * 256 + Int(received[1]) {
                let length = Int(received[0]) * 256 + Int(received[1])
                replies.append(try #require(Reply(Array(received[2..<(2 + length)]))))
                received.removeFirst(2 + length)
            }
        }
        #expect(replies.map(\.answers.count) == [200, 1])
        #expect(replies.allSatisfy { !$0.isTruncated })
        // What is no query ends the connection.
        try await client.send([0, 3, 1, 2, 3])
        #expect(try await client.receive().isEmpty)
        await server.close()
    }

    @Test func `names that point to themselves or beyond the message get no answer`() {
        let pointers: [[UInt8]] = [
            [0xc0, 0x0c], [0xc0, 0x00], [0xff, 0xff], [1, 0x61, 0xc0, 0x0c], [0x80], [0x40, 1],
        ]
        for pointer in pointers {
            let message: [UInt8] = [0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0] + pointer + [0, 1, 0, 1]
            #expect(DNSQuery(message) == nil, "\(pointer)")
        }
    }

    /// Damage of every kind to good queries: bytes changed, cut off, repeated, inserted; and plain noise.
    @Test(arguments: 0..<20)
    func `no datagram stops the server, and every answer is well-formed`(_ seed: Int) {
        var random = Numbers(state: UInt64(seed))
        let names = ["wine.ml.svc.cluster.local", "many.ml.svc.cluster.local", "a", "", "svc.cluster.local"]
        var answered = 0
        for _ in 0..<300 {
            var message = Self.query(names.randomElement(using: &random) ?? "")
            for _ in 0..<Int.random(in: 0...3, using: &random) { Self.damage(&message, &random) }
            guard let bytes = Self.reply(message) else { continue }
            answered += 1
            guard let reply = Reply(bytes) else {
                Issue.record("\(message) is answered with \(bytes)")
                continue
            }
            #expect(Array(bytes.prefix(2)) == Array(message.prefix(2)))
            #expect(Array(bytes[12..<reply.questionEnd]) == Array(message[12..<reply.questionEnd]))
        }
        #expect(answered > 30)
    }

    private static func damage(_ message: inout [UInt8], _ random: inout Numbers) {
        let byte = UInt8.random(in: 0...255, using: &random)
        let at = Int.random(in: 0...message.count, using: &random)
        switch Int.random(in: 0..<6, using: &random) {
        case 0: message.removeLast(message.count - at)
        case 1: message.insert(byte, at: at)
        case 2: message.insert(contentsOf: message.suffix(at), at: at)
        case 3: message = (0..<at).map { _ in UInt8.random(in: 0...255, using: &random) }
        case 4: message.insert(contentsOf: Array(repeating: [1, 0x61], count: at).flatMap { $0 }, at: min(at, 12))
        default: if at < message.count { message[at] = byte }
        }
    }
}
