import Concurrency
import ControllerRuntime
import CurlTransport
import FoundationEssentials
import HTTPTransport
import JSON
import KubernetesClient
import KubernetesModel
import OpenSSL
import TestCluster
import Testing

/// Tokens, certificates and authorities that are renewed under those who use them.
@Suite(.serialized) struct RotationTests {
    @Test(.timeLimit(.minutes(10)), arguments: Backend.all)
    func nothingIsMissedWhileTokensCertificatesAndAuthoritiesAreRenewedUnderLoad(_ backend: Backend) async throws {
        try await RenewableServer.run(on: backend) { server in
            // Kubernetes reads its files once a minute, and within a round each is rewritten twice.
            try await Rotation(server).run(rounds: backend == .local ? 5 : 1)
        }
    }
}

/// The files of a client, those who read them, and what rewrites them.
private struct Rotation: Sendable {
    private let server: RenewableServer
    private let directory: TemporaryDirectory
    private static let keys = (0..<10).map { ObjectKey(namespace: "default", name: "load-\($0)") }
    private static let mark = ["load": "yes"]

    init(_ server: RenewableServer) throws {
        self.server = server
        directory = try TemporaryDirectory()
    }

    func run(rounds: Int) async throws {
        defer { directory.remove() }
        try write(server.authority.certificatePEM, "ca.crt")
        try renewCertificate(of: server.authority)
        try await renewToken([server.authority], server.authority)
        let writer = try client(user: "certificate")
        defer { writer.transport.shutdown() }
        for key in Self.keys {
            _ = try await writer.client.create(
                .configMaps,
                [
                    "metadata": ["name": .string(key.name), "namespace": "default", "labels": JSONValue(Self.mark)],
                    "data": ["n": "0"],
                ], fieldManager: "load")
        }
        let followers = [try Follower(try client(user: "certificate")), try Follower(try client(user: "token"))]
        let load = Load()
        let daemon = RenewedOperator(client: writer.client, kubeconfig: "\(directory.path)/token.kubeconfig")
        try await TestCluster.installKinds(writer.client)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for follower in followers { group.addTask { await follower.reflector.run() } }
            for follower in followers { try await follower.store.waitForSync() }
            group.addTask { try await load.run(writer.client, Self.keys) }
            group.addTask { await daemon.run { load.isOver } }
            var authority = server.authority
            for round in 1...rounds { authority = try await replaceAuthority(authority, round) }
            load.stop()
            try await daemon.waitForEnd()
            try await check(followers, load, authority)
            group.cancelAll()
        }
    }

    // MARK: Renewing

    /// From one authority to another, with a time in which both count.
    private func replaceAuthority(_ old: CertificateAuthority, _ round: Int) async throws -> CertificateAuthority {
        let next = try CertificateAuthority(commonName: "round-\(round)", now: SystemTime().wallNow())
        let both = old.certificatePEM + next.certificatePEM
        try write(String(both.dropLast(100)), "ca.crt")
        try await renewToken([old], old)
        try write(both, "ca.crt")
        try server.renewCertificates(by: next, clientAuthorities: [old, next])
        try await settle("the server shows the new certificate and takes the new authority's", [old, next], old) {
            try await answer(trusting: [next], by: next) == 200
        }
        try await renewCertificateSlowly(of: next)
        try await renewToken([old, next], next)
        try write(next.certificatePEM, "ca.crt")
        try server.renewCertificates(by: next, clientAuthorities: [next])
        try await settle("the old authority's certificates are refused", [next], next) {
            try await answer(trusting: [next], by: old) != 200
        }
        try await renewToken([next], next)
        // Long enough for watches to end and begin again, and for files to be looked at because of their age.
        try await Task.sleep(for: .seconds(4))
        return next
    }

    /// Waits for the server, and goes on renewing what belongs to clients alone.
    private func settle(
        _ what: String, _ trusted: [CertificateAuthority], _ own: CertificateAuthority,
        _ isReached: () async throws -> Bool
    ) async throws {
        let deadline = ContinuousClock.now + server.delay
        while try await !isReached() {
            try #require(ContinuousClock.now < deadline, "\(what) within \(server.delay)")
            try await renewCertificateSlowly(of: own)
            try await renewToken(trusted, own)
            try await Task.sleep(for: .seconds(2))
        }
    }

    private func renewCertificate(of authority: CertificateAuthority) throws {
        let issued = try RenewableServer.administrator(of: authority)
        try write(issued.certificatePEM, "client.crt")
        try write(issued.privateKeyPEM, "client.key")
    }

    /// For a while the key is not the certificate's, and then half of one.
    private func renewCertificateSlowly(of authority: CertificateAuthority) async throws {
        let issued = try RenewableServer.administrator(of: authority)
        try write(issued.certificatePEM, "client.crt")
        try await Task.sleep(for: .milliseconds(100))
        try write(String(issued.privateKeyPEM.prefix(100)), "client.key")
        try await Task.sleep(for: .milliseconds(100))
        try write(issued.privateKeyPEM, "client.key")
    }

    /// The file is empty for a moment, and the old token is refused after it.
    private func renewToken(_ trusted: [CertificateAuthority], _ own: CertificateAuthority) async throws {
        let transport = try CurlTransport(try stranger(trusting: trusted, by: own))
        defer { transport.shutdown() }
        let client = KubernetesClient(transport: transport)
        let token = try await server.newToken(client)
        try write("", "token")
        try await Task.sleep(for: .milliseconds(20))
        try write(token, "token")
        try await server.revokeOldTokens(client)
    }

    private func write(_ text: String, _ name: String) throws {
        try Data(text.utf8).write(to: URL(filePath: "\(directory.path)/\(name)"))
    }

    // MARK: Clients

    private func stranger(
        trusting: [CertificateAuthority], by authority: CertificateAuthority
    ) throws -> TransportConfiguration {
        let issued = try RenewableServer.administrator(of: authority)
        return TransportConfiguration(
            server: server.url, certificateAuthorityPEM: Array(trusting.map(\.certificatePEM).joined().utf8),
            clientCertificatePEM: Array(issued.certificatePEM.utf8),
            clientKeyPEM: Array(issued.privateKeyPEM.utf8))
    }

    /// What a client that begins now is answered; nil where it comes to no answer.
    private func answer(trusting: [CertificateAuthority], by authority: CertificateAuthority) async throws -> Int? {
        let transport = try CurlTransport(try stranger(trusting: trusting, by: authority))
        defer { transport.shutdown() }
        do throws(HTTPTransportError) {
            return try await transport.send(HTTPRequest(.get, "/api/v1/namespaces/default/configmaps?limit=1")).status
        } catch {
            if error.code == .tls { return nil }
            throw error
        }
    }

    /// A client as the operator makes its own, by a kubeconfig that names files.
    private func client(user: String) throws -> (client: KubernetesClient, transport: CurlTransport) {
        let text = """
            current-context: it
            contexts: [{name: it, context: {cluster: it, user: \(user)}}]
            clusters: [{name: it, cluster: {server: "\(server.url)", certificate-authority: ca.crt}}]
            users:
            - {name: certificate, user: {client-certificate: client.crt, client-key: client.key}}
            - {name: token, user: {tokenFile: token}}
            """
        try write(text, "\(user).kubeconfig")
        let configuration = try ClientConfiguration.kubeconfig(path: "\(directory.path)/\(user).kubeconfig")
        let transport = try CurlTransport(configuration.transport)
        return (
            KubernetesClient(transport: ShortWatches(inner: transport), credentials: configuration.credentials),
            transport
        )
    }

    // MARK: What must hold

    private func check(_ followers: [Follower], _ load: Load, _ authority: CertificateAuthority) async throws {
        let transport = try CurlTransport(try stranger(trusting: [authority], by: authority))
        defer { transport.shutdown() }
        let list = try await KubernetesClient(transport: transport).listAll(
            .configMaps, namespace: "default", ListOptions(labelSelector: "load=yes"))
        let written = load.written
        #expect(written.values.map(\.count).reduce(0, +) > 100, "there was load")
        for follower in followers {
            let deadline = ContinuousClock.now + .seconds(30)
            while !follower.holds(list.items), ContinuousClock.now < deadline {
                try await Task.sleep(for: .milliseconds(20))
            }
            #expect(follower.holds(list.items), "the store is what a fresh list says")
            #expect(follower.seen == written, "each change was seen once, in order")
            #expect(follower.reflector.status.lists == 1, "nothing was listed again")
            #expect(follower.reflector.status.watchesEnded >= 3, "watches began again and again")
            follower.transport.shutdown()
        }
        print(
            "rotation: \(written.values.map(\.count).reduce(0, +)) changes, \(load.failures) of them tried again; watches: ",
            followers.map { "\($0.reflector.status.watchesEnded)" }.joined(separator: ", "))
    }
}

/// Writes numbers, each into the next object in turn, for ever larger ones.
private final class Load: Sendable {
    private struct State {
        var isOver = false
        var written: [ObjectKey: [Int]] = [:]
        var failures = 0
    }

    private let state = Locked(State())

    var written: [ObjectKey: [Int]] { state.withLock { $0.written } }
    var failures: Int { state.withLock { $0.failures } }

    var isOver: Bool { state.withLock { $0.isOver } }

    func stop() { state.withLock { $0.isOver = true } }

    func run(_ client: KubernetesClient, _ keys: [ObjectKey]) async throws {
        var number = 0
        while !state.withLock({ $0.isOver }) {
            number += 1
            let key = keys[number % keys.count]
            // Noted first: it is not over before it is done.
            state.withLock { $0.written[key, default: [0]].append(number) }
            while true {
                do throws(KubernetesError) {
                    _ = try await client.mergePatch(
                        .configMaps, key, ["data": ["n": .string("\(number)")]], fieldManager: "load")
                    break
                } catch {
                    if error.isCancelled { return }
                    state.withLock { $0.failures += 1 }
                    try await Task.sleep(for: .milliseconds(50))
                }
            }
            try await Task.sleep(for: .milliseconds(25))
        }
    }
}

/// A reflector, and the numbers that it saw.
private final class Follower: Sendable {
    let store = Store<DynamicObject>()
    let reflector: Reflector<DynamicObject>
    let transport: CurlTransport
    private let numbers = Locked<[ObjectKey: [Int]]>([:])

    init(_ client: (client: KubernetesClient, transport: CurlTransport)) throws {
        transport = client.transport
        reflector = Reflector(
            client: client.client, type: .configMaps, namespace: "default", labelSelector: "load=yes", store: store,
            logger: TestCluster.logger)
        store.subscribe { [numbers] change in
            let number = change.object.json["data", "n"]?.string.flatMap { Int($0) } ?? -1
            numbers.withLock { $0[change.key, default: []].append(number) }
        }
    }

    var seen: [ObjectKey: [Int]] { numbers.withLock { $0 } }

    func holds(_ items: [JSONValue]) -> Bool {
        let versions = store.all().map { "\($0.metadata.key) \($0.metadata.resourceVersion)" }
        return Set(versions)
            == Set(
                items.map {
                    "\($0["metadata", "namespace"]?.string ?? "")/\($0["metadata", "name"]?.string ?? "") "
                        + ($0["metadata", "resourceVersion"]?.string ?? "")
                })
    }
}

/// Has the server end every watch after two seconds, so that many begin while things are renewed.
private struct ShortWatches: HTTPTransport {
    let inner: CurlTransport

    func send(_ request: HTTPRequest) async throws(HTTPTransportError) -> HTTPResponse {
        guard case .watch = request.delivery else { return try await inner.send(request) }
        var request = request
        request.target = request.target.replacing(/timeoutSeconds=\d+/, with: "timeoutSeconds=2")
        return try await inner.send(request)
    }
}
