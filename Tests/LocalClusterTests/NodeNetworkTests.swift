import JSON
import Testing

@testable import LocalCluster

@Suite struct NodeNetworkTests {
    private static let services: [JSONValue] = [
        [
            "metadata": ["name": "wine", "namespace": "ml"],
            "spec": ["clusterIP": "10.96.0.9", "ports": [["name": "http", "port": 80]]],
        ],
        [
            "metadata": ["name": "db", "namespace": "ml"],
            "spec": ["clusterIP": "None", "ports": [["port": 5432]]],
        ],
        [
            "metadata": ["name": "idle", "namespace": "ml"],
            "spec": ["clusterIP": "10.96.0.10", "ports": [["port": 80]]],
        ],
    ]

    private static func slice(_ service: String, port: JSONValue, _ endpoints: [JSONValue]) -> JSONValue {
        [
            "metadata": [
                "name": .string("\(service)-1"), "namespace": "ml",
                "labels": ["kubernetes.io/service-name": .string(service)],
            ], "addressType": "IPv4", "endpoints": .array(endpoints), "ports": [port],
        ]
    }

    private let table = ServiceTable(
        services: Self.services,
        slices: [
            Self.slice(
                "wine", port: ["name": "http", "port": 8080],
                [
                    ["addresses": ["10.244.1.2"], "conditions": ["ready": true]],
                    ["addresses": ["10.244.1.3"], "conditions": ["ready": false]],
                ]),
            Self.slice("db", port: ["port": 5432], [["addresses": ["10.244.1.4"], "hostname": "db-0"]]),
        ])

    @Test func onlyServicesWithReadyEndpointsAreListenedFor() {
        #expect(
            table.listeners == [
                .init(address: "10.96.0.9", port: 80): [.init(address: "10.244.1.2", port: 8080)]
            ])
    }

    @Test(arguments: [
        ("wine.ml.svc.cluster.local", ["10.96.0.9"]), ("db.ml.svc.cluster.local", ["10.244.1.4"]),
        ("db-0.db.ml.svc.cluster.local", ["10.244.1.4"]), ("db-1.db.ml.svc.cluster.local", nil),
        ("idle.ml.svc.cluster.local", ["10.96.0.10"]), ("wine.other.svc.cluster.local", nil),
        ("ml.svc.cluster.local", []), ("wine", nil), ("example.com", nil),
        ("wine.ml.svc.cluster.local.ml.svc.cluster.local", nil),
    ])
    func namesStandForServices(_ name: String, _ addresses: [String]?) throws {
        let query = try #require(DNSQuery(Self.question(name)))
        let answer = DNSZone(table, domain: "cluster.local").answer(to: query)
        #expect(answer.code == (addresses == nil ? .noSuchName : .noError))
        #expect(answer.answers == (addresses ?? []).compactMap { DNSRecord(address: $0) })
    }

    private static func question(_ name: String, type: UInt8 = 1) -> [UInt8] {
        var message: [UInt8] = [0xab, 0xcd, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0]
        for label in name.split(separator: ".") { message += [UInt8(label.utf8.count)] + Array(label.utf8) }
        return message + [0, 0, type, 0, 1]
    }

    @Test func aQueryIsAnsweredInItsOwnWords() throws {
        let query = try #require(DNSQuery(Self.question("Wine.ML")))
        #expect(query.name == ["wine", "ml"])
        let record = try #require(DNSRecord(address: "10.96.0.9"))
        let answer = DNSAnswer(answers: [record]).datagram(to: query)
        #expect(Array(answer[0..<8]) == [0xab, 0xcd, 0x85, 0x80, 0, 1, 0, 1])
        // The question comes back with the letters as they were asked.
        #expect(Array(answer[12..<25]) == Array(Self.question("Wine.ML")[12..<25]))
        #expect(Array(answer.suffix(16)) == [0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 10, 96, 0, 9])
        #expect(DNSAnswer(code: .noSuchName).datagram(to: query)[3] & 0x0f == 3)
    }

    @Test func aDamagedQueryIsNoQuery() {
        let good = Self.question("wine.ml")
        for length in good.indices { #expect(DNSQuery(Array(good.prefix(length))) == nil) }
        var answer = good
        answer[2] |= 0x80
        #expect(DNSQuery(answer) == nil)
        var pointer = good
        pointer[12] = 0xc0
        #expect(DNSQuery(pointer) == nil)
    }

    @Test func theHostsMountsAreTakenOnceAndUnescaped() {
        let table = """
            22 1 8:1 / / rw - ext4 /dev/root rw
            23 22 0:5 / /dev rw - devtmpfs dev rw
            24 23 0:6 / /dev/pts rw - devpts dev rw
            25 22 0:7 / /data/my\\040disk rw - ext4 x rw
            26 22 0:8 / /data/pods/x/root rw - tmpfs x rw
            """
        #expect(ContainerRoot.hostMounts(table, hiding: "/data/pods/x/root") == ["/data/my disk", "/dev"])
    }
}
