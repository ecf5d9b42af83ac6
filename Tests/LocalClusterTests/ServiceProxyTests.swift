import ControllerRuntime
import Glibc
import JSON
import KubernetesModel
import Logging
import Testing

@testable import LocalCluster

/// A proxy in the host's network, with services that a test makes and changes.
private struct ProxyFixture: Sendable {
    let services = Store<DynamicObject>()
    let endpoints: EndpointSource
    /// Any address of loopback is the machine's; one of its own keeps tests apart.
    let address = "127.\(Int.random(in: 100...250)).\(Int.random(in: 1...250)).\(Int.random(in: 2...250))"
    let port = Int.random(in: 20000...30000)

    static func run(
        _ type: ResourceType = .endpointSlices, _ body: @escaping @Sendable (ProxyFixture) async throws -> Void
    ) async throws {
        let fixture = ProxyFixture(endpoints: EndpointSource(type))
        var options = NodeNetworkOptions()
        options.mode = .host
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let network = try await NodeNetwork.open(options, logger: logger)
        let proxy = ServiceProxy(
            services: fixture.services, endpoints: fixture.endpoints, network: network, domain: "cluster.local",
            logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await proxy.run() }
            try await body(fixture)
            group.cancelAll()
        }
    }

    /// Tells the proxy of a service with these endpoints.
    func serve(_ backends: [LoopbackSocket], conditions: JSONValue = ["ready": true]) {
        serve(ports: backends.map(\.port), conditions: conditions)
    }

    func serve(ports: [Int], conditions: JSONValue = ["ready": true]) {
        applyService()
        for number in 0..<4 {
            let backend = number < ports.count ? ports[number] : nil
            let serving: [JSONValue] =
                backend == nil ? [] : [["addresses": ["127.0.0.1"], "conditions": conditions]]
            endpoints.store.apply([
                "metadata": [
                    "name": .string("wine-\(number)"), "namespace": "ml", "uid": .string("\(number)"),
                    "labels": ["kubernetes.io/service-name": "wine"],
                ],
                "addressType": "IPv4", "endpoints": .array(serving),
                "ports": [["name": "http", "port": JSONValue(backend ?? 1)]],
            ])
        }
    }

    /// Tells the proxy of the service with these Endpoints.
    func serveByEndpoints(_ ready: [LoopbackSocket], notReady: [LoopbackSocket] = []) {
        var subsets = ready.map { subset("addresses", $0) }
        subsets += notReady.map { subset("notReadyAddresses", $0) }
        endpoints.store.apply([
            "metadata": ["name": "wine", "namespace": "ml", "uid": "e"], "subsets": .array(subsets),
        ])
        applyService()
    }

    private func subset(_ field: String, _ backend: LoopbackSocket) -> JSONValue {
        var subset: JSONValue = ["ports": [["name": "http", "port": JSONValue(backend.port)]]]
        subset[field] = [["ip": "127.0.0.1"]]
        return subset
    }

    private func applyService() {
        services.apply([
            "metadata": ["name": "wine", "namespace": "ml", "uid": "s"],
            "spec": ["clusterIP": .string(address), "ports": [["name": "http", "port": JSONValue(port)]]],
        ])
    }

    /// Connects to the service, once the proxy listens.
    func connect() async throws -> LoopbackSocket {
        var last: (any Error)?
        for _ in 0..<1000 {
            do {
                return try await LoopbackSocket.connect(address, port)
            } catch {
                last = error
            }
            try await Task.sleep(for: .milliseconds(5))
        }
        throw try #require(last)
    }

    /// A connection that is reset was still accepted: the listener is gone once one is refused.
    func waitUntilRefused() async throws {
        for _ in 0..<1000 {
            do {
                _ = try await LoopbackSocket.connect(address, port)
            } catch let failure as LoopbackSocket.Failure where failure.code == ECONNREFUSED {
                return
            } catch is LoopbackSocket.Failure {
            }
            try await Task.sleep(for: .milliseconds(5))
        }
        Issue.record("the service still accepts connections")
    }
}

@Suite struct ServiceProxyTests {
    @Test func `what one side sends the other receives, and each may end alone`() async throws {
        try await ProxyFixture.run { fixture in
            let pod = try LoopbackSocket.listen()
            fixture.serve([pod])
            let client = try await fixture.connect()
            let server = try await pod.accept()
            try await client.send("question")
            #expect(try await server.receiveText() == "question")
            client.finish()
            #expect(try await server.receive().isEmpty)
            try await server.send("answer")
            server.finish()
            #expect(try await client.receiveAll() == Array("answer".utf8))
        }
    }

    @Test func `a client that has ended its side still gets all of a long answer`() async throws {
        try await ProxyFixture.run { fixture in
            let pod = try LoopbackSocket.listen()
            fixture.serve([pod])
            let client = try await fixture.connect()
            let server = try await pod.accept()
            client.finish()
            #expect(try await server.receive().isEmpty)
            let answer = (0..<16_000_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
            async let sent: Void = {
                try await server.send(answer)
                server.finish()
            }()
            // A slow start, so that the answer waits on the way.
            try await Task.sleep(for: .milliseconds(100))
            let received = try await client.receiveAll()
            try await sent
            #expect(received.count == answer.count)
            #expect(received == answer)
        }
    }

    @Test func `endpoints take turns`() async throws {
        try await ProxyFixture.run { fixture in
            let pods = [try LoopbackSocket.listen(), try LoopbackSocket.listen()]
            fixture.serve(pods)
            let clients = [try await fixture.connect(), try await fixture.connect()]
            let servers = [try await pods[0].accept(), try await pods[1].accept()]
            for server in servers { try await server.send("hello") }
            for client in clients { #expect(try await client.receiveText() == "hello") }
        }
    }

    @Test func `a server without EndpointSlices tells by Endpoints who is ready`() async throws {
        try await ProxyFixture.run(.endpoints) { fixture in
            let (pod, other) = (try LoopbackSocket.listen(), try LoopbackSocket.listen())
            fixture.serveByEndpoints([pod], notReady: [other])
            for _ in 0..<3 {
                let client = try await fixture.connect()
                try await pod.accept().send("hello")
                #expect(try await client.receiveText() == "hello")
            }
            fixture.serveByEndpoints([], notReady: [other])
            try await fixture.waitUntilRefused()
        }
    }

    @Test func `the last endpoints that go away serve until others are ready`() async throws {
        try await ProxyFixture.run { fixture in
            let (old, new) = (try LoopbackSocket.listen(), try LoopbackSocket.listen())
            fixture.serve([old], conditions: ["ready": false, "serving": true, "terminating": true])
            let first = try await fixture.connect()
            try await old.accept().send("old")
            #expect(try await first.receiveText() == "old")
            fixture.serve([old], conditions: ["ready": false, "serving": false, "terminating": true])
            try await fixture.waitUntilRefused()
            fixture.serve([new])
            let next = try await fixture.connect()
            try await new.accept().send("new")
            #expect(try await next.receiveText() == "new")
        }
    }

    @Test(
        arguments: [
            (["ready": true], ["ready": false, "serving": true, "terminating": true], ["10.0.0.1"]),
            (["ready": false, "serving": true, "terminating": true], ["ready": false], ["10.0.0.1"]),
            (["ready": false, "serving": true, "terminating": false], ["ready": false], []),
            (["serving": true], [:], ["10.0.0.1", "10.0.0.2"]),
        ] as [(JSONValue, JSONValue, [String])])
    func `endpoints are chosen by their conditions`(_ first: JSONValue, _ second: JSONValue, _ chosen: [String]) {
        let table = ServiceTable(
            services: [
                [
                    "metadata": ["name": "wine", "namespace": "ml"],
                    "spec": ["clusterIP": "10.96.0.1", "ports": [["port": 80]]],
                ]
            ],
            slices: [
                [
                    "metadata": ["namespace": "ml", "labels": ["kubernetes.io/service-name": "wine"]],
                    "addressType": "IPv4", "ports": [["port": 8080]],
                    "endpoints": [
                        ["addresses": ["10.0.0.1"], "conditions": first],
                        ["addresses": ["10.0.0.2"], "conditions": second],
                    ],
                ]
            ])
        let backends = table.listeners[ServiceTable.Listener(address: "10.96.0.1", port: 80)] ?? []
        #expect(backends.map(\.address) == chosen)
    }

    @Test func `an endpoint that does not answer is passed over`() async throws {
        try await ProxyFixture.run { fixture in
            let (gone, pod) = (try LoopbackSocket.bind(), try LoopbackSocket.listen())
            fixture.serve(ports: [gone.port, pod.port])
            for _ in 0..<4 {
                let client = try await fixture.connect()
                let server = try await pod.accept()
                try await server.send("hello")
                #expect(try await client.receiveText() == "hello")
            }
        }
    }

    @Test func `a connection outlives the endpoint's leaving the service, and new ones are refused`() async throws {
        try await ProxyFixture.run { fixture in
            let pod = try LoopbackSocket.listen()
            fixture.serve([pod])
            let client = try await fixture.connect()
            let server = try await pod.accept()
            try await client.send("before")
            #expect(try await server.receiveText() == "before")
            fixture.serve([pod], conditions: ["ready": false])
            try await fixture.waitUntilRefused()
            try await client.send("after")
            #expect(try await server.receiveText() == "after")
            try await server.send("answer")
            #expect(try await client.receiveText() == "answer")
            fixture.serve([pod])
            let next = try await fixture.connect()
            try await next.send("again")
            let again = try await pod.accept()
            // Connections that came while the proxy was changing may be in front.
            var text = try await again.receiveText()
            while text.isEmpty { text = try await pod.accept().receiveText() }
            #expect(text == "again")
        }
    }
}
