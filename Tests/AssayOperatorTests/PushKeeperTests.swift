import AssayCore
import Concurrency
import ControllerRuntime
import JSON
import KubernetesClient
import KubernetesModel
import Logging
import OpenSSL
import Testing

@testable import AssayOperator

/// What serves pushes, and whom pods are to trust, on a server with the rights that are shipped.
@Suite struct PushKeeperTests {
    private static let secret = ObjectKey(namespace: "assay-system", name: "assay-push-tls")
    private static let names = ["assay-push.assay-system.svc"]

    private func keeper(
        _ world: PushWorld, names: [String] = PushKeeperTests.names, leads: @escaping @Sendable () -> Bool = { true }
    ) -> PushKeeper {
        PushKeeper(secret: Self.secret, names: names, client: world.client, time: world.time, isLeader: leads)
    }

    @Test func theLeaderMakesItAndAllHaveTheSame() async throws {
        let world = PushWorld()
        try await world.install()
        let standby = keeper(world) { false }
        #expect(try await standby.refresh() == nil, "a standby makes nothing")
        let made = try #require(try await keeper(world).refresh())
        #expect(try await standby.refresh() == made)
        #expect(try await keeper(world).refresh() == made, "nothing is made twice")
        let secret = try await world.admin.get(.secrets, Self.secret)
        #expect(secret["metadata", "labels", Label.managedBy]?.string == Label.manager)
        #expect(PushSecret.read(secret) == made)
    }

    @Test func twoThatThinkTheyLeadEndWithTheSame() async throws {
        let world = PushWorld()
        try await world.install()
        let keepers = (0..<5).map { _ in keeper(world) }
        let made = try await withThrowingTaskGroup(of: PushCertificates?.self) { group in
            for keeper in keepers { group.addTask { try await keeper.refresh() } }
            return try await group.reduce(into: Set<PushCertificates>()) { if let one = $1 { $0.insert(one) } }
        }
        #expect(made.count == 1)
    }

    @Test func namesThatChangeGetACertificateFromTheSameAuthority() async throws {
        let world = PushWorld()
        try await world.install()
        let before = try #require(try await keeper(world).refresh())
        let after = try #require(try await keeper(world, names: Self.names + ["10.0.0.1"]).refresh())
        #expect(after.authority == before.authority && after.serving != before.serving)
        #expect(after.names == Self.names + ["10.0.0.1"])
    }

    static let damages: [@Sendable (inout JSONValue) -> Void] = [
        { $0["data"] = nil }, { $0["data", "ca.key"] = "bm9uc2Vuc2U=" }, { $0["data", "ca.crt"] = nil },
        { $0["data", "tls.key"] = $0["data", "ca.key"] }, { $0["data", "tls.crt"] = "" },
    ]

    @Test(arguments: damages.indices) func whatIsDamagedIsMadeAnew(_ index: Int) async throws {
        let world = PushWorld()
        try await world.install()
        let keeper = keeper(world)
        try await keeper.refresh()
        var secret = try await world.admin.get(.secrets, Self.secret)
        Self.damages[index](&secret)
        _ = try await world.admin.replace(.secrets, secret, fieldManager: "somebody")
        let mended = try #require(try await keeper.refresh())
        #expect(PushSecret.read(try await world.admin.get(.secrets, Self.secret)) == mended)
        _ = try TLSContext(
            serverCertificateChainPEM: Array((mended.serving?.certificate ?? "").utf8),
            privateKeyPEM: Array((mended.serving?.key ?? "").utf8))
    }

    /// Real authorities, over years, a day at a time.
    @Test func yearsPass() async throws {
        let world = PushWorld()
        try await world.install()
        let keeper = keeper(world)
        var bundles: Set<String> = []
        var serving: Set<String> = []
        var last = try #require(try await keeper.refresh())
        for _ in 0..<(3 * 365) {
            world.advance(by: .seconds(86_400))
            let now = try #require(try await keeper.refresh())
            if let authority = now.authority, authority != last.authority {
                #expect(last.bundle.contains(authority.certificate), "it was published before it signed")
                #expect(now.bundle.contains(last.authority?.certificate ?? "-"), "what it follows is still trusted")
                #expect(now.previous?.key == nil)
            }
            bundles.insert(now.bundle)
            serving.insert(now.serving?.certificate ?? "")
            last = now
        }
        #expect(serving.count >= 3 * 365 / 22 && serving.count <= 3 * 365 / 18, "\(serving.count)")
        #expect(bundles.count >= 6)
    }

    // MARK: Authorities

    private func authorities(_ world: PushWorld, _ keeper: PushKeeper) -> (PushAuthorities, EventRecorder) {
        let events = EventRecorder(
            client: world.client, controller: "assay.dev/operator", instance: "1", time: world.time,
            logger: Logger(label: "test"))
        return (
            PushAuthorities(
                keeper: keeper, client: world.client, events: events, time: world.time, complaints: world.complaints),
            events
        )
    }

    private static let map = ObjectKey(namespace: "ml", name: "assay-ca")
    private static let training = ObjectMeta(name: "wine", namespace: "ml", uid: "t-wine")

    @Test func theBundleIsPublishedAndFollows() async throws {
        let world = PushWorld()
        try await world.install()
        let keeper = keeper(world)
        let (authorities, _) = authorities(world, keeper)
        await authorities.publish(for: Self.training)
        let first = try await world.admin.get(.configMaps, Self.map)
        #expect(first["data", "ca.crt"]?.string == keeper.current?.bundle)
        let count = world.transport.count("GET", "/api/v1/namespaces/ml/configmaps/assay-ca")
        await authorities.publish(for: Self.training)
        #expect(world.transport.count("GET", "/api/v1/namespaces/ml/configmaps/assay-ca") == count, "it is known")

        // What somebody has changed or deleted is mended after a while.
        _ = try await world.admin.mergePatch(
            .configMaps, Self.map, ["data": ["ca.crt": "nonsense"]], fieldManager: "somebody")
        world.advance(by: .seconds(301))
        await authorities.publish(in: ["ml", "other"])
        #expect(try await world.admin.get(.configMaps, Self.map)["data"] == first["data"])
        let other = ObjectKey(namespace: "other", name: "assay-ca")
        #expect(try await world.admin.get(.configMaps, other)["data"] == first["data"])
        try await world.admin.delete(.configMaps, Self.map)
        world.advance(by: .seconds(301))
        await authorities.publish(for: Self.training)
        #expect(try await world.admin.get(.configMaps, Self.map)["data"] == first["data"])
    }

    @Test func aConfigMapOfSomebodyElseIsLeftAlone() async throws {
        let world = PushWorld()
        try await world.install()
        _ = try await world.admin.create(
            .configMaps, ["metadata": ["name": "assay-ca", "namespace": "ml"], "data": ["ca.crt": "theirs"]],
            fieldManager: "somebody")
        let (authorities, events) = authorities(world, keeper(world))
        await authorities.publish(for: Self.training)
        #expect(try await world.admin.get(.configMaps, Self.map)["data"] == ["ca.crt": "theirs"])
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await events.run() }
            events.stop()
        }
        let told = try await world.admin.listAll(.events, namespace: "ml").items
        #expect(told.contains { $0["reason"] == "AuthoritiesNotOurs" && $0["type"] == "Warning" }, "\(told)")
    }

    /// Nothing waits: what cannot be written is told, once.
    @Test func withoutTheRightItIsTold() async throws {
        let world = PushWorld()
        try await world.install()
        let role = ResourceType(
            group: "rbac.authorization.k8s.io", version: "v1", plural: "clusterroles", kind: "ClusterRole",
            isNamespaced: false)
        _ = try await world.admin.mergePatch(
            role, ObjectKey(namespace: nil, name: "assay-operator"), ["rules": []], fieldManager: "test")
        let (authorities, _) = authorities(world, keeper(world))
        for _ in 0..<3 { await authorities.publish(for: Self.training) }
        let told = world.log.withLock { $0.filter { $0.contains("configmaps") && $0.contains("warning") } }
        #expect(told.count == 1, "\(told)")
    }
}
