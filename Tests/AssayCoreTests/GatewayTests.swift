import FuzzProperties
import JSON
import KubernetesModel
import Testing

@testable import AssayCore

/// The way of requests: a port of the model's own on the gateway, and a Service that leads there.
@Suite struct GatewayTests {
    private static func pod(_ name: String, _ addresses: [String], isReady: Bool = true, isGoing: Bool = false) throws
        -> GatewayPod
    {
        var metadata: JSONValue = ["name": .string(name), "namespace": "assay-system", "uid": .string(name)]
        if isGoing { metadata["deletionTimestamp"] = "2027-01-15T08:00:00Z" }
        return try GatewayPod(json: [
            "metadata": metadata,
            "status": [
                "phase": "Running", "podIP": .string(addresses[0]),
                "podIPs": .array(addresses.map { ["ip": .string($0)] }),
                "conditions": [["type": "Ready", "status": .string(isReady ? "True" : "False")]],
            ],
        ])
    }

    private static func gateway(_ pods: [GatewayPod]? = nil, servesSlices: Bool = true) throws -> GatewayObservation {
        GatewayObservation(
            namespace: "assay-system", pods: try pods ?? [pod("a", ["10.0.0.1"]), pod("b", ["10.0.0.2"])],
            servesSlices: servesSlices)
    }

    private func serving(_ gateway: GatewayObservation?) throws -> World {
        var world = World()
        world.gateway = gateway
        try world.create(.mlModels, try Sample.model())
        try world.settle()
        world.succeedJob()
        try world.settle()
        world.makeDeploymentsAvailable()
        try world.settle()
        #expect(world.status["phase"] == "Serving")
        return world
    }

    private func addresses(_ world: World) -> [String] {
        world.all(.endpointSlices).flatMap { $0["endpoints"]?.array ?? [] }
            .flatMap { $0["addresses"]?.array ?? [] }.compactMap(\.string)
    }

    /// What controllers leave when a Service loses its selector.
    private func addLeavings(_ world: inout World) throws {
        try world.create(
            .endpointSlices,
            [
                "metadata": ["name": "wine-x1", "labels": [.init(EndpointSliceObservation.serviceLabel): "wine"]],
                "addressType": "IPv4", "endpoints": [["addresses": ["10.9.9.9"]]],
            ])
        try world.create(.endpoints, ["metadata": ["name": "wine"], "subsets": [["addresses": [["ip": "10.9.9.9"]]]]])
    }

    // MARK: A way of its own

    @Test func aModelHasAPortBeforeItHasAnythingToServe() throws {
        var world = World()
        world.gateway = try Self.gateway()
        try world.create(.mlModels, try Sample.model())
        try world.settle()
        let port = try #require(world.status["gatewayPort"]?.int)
        #expect(GatewayPort.range.contains(port))
        #expect(world.status["traffic"] == nil && world.all(.services).isEmpty)
    }

    @Test func itsServiceLeadsToThatPortOnTheGateway() throws {
        var world = try serving(try Self.gateway())
        let service = try #require(world.get(.services, "wine"))
        #expect(service["spec", "selector"] == nil, "where it leads is ours to say")
        #expect(service["spec", "ports"]?[0]?["port"] == 80)
        #expect(service["spec", "ports"]?[0]?["targetPort"] == world.status["gatewayPort"])
        let slice = try #require(world.all(.endpointSlices).first)
        #expect(slice["metadata", "labels"]?[EndpointSliceObservation.serviceLabel] == "wine")
        #expect(slice["ports"]?[0]?["port"] == world.status["gatewayPort"])
        #expect(addresses(world) == ["10.0.0.1", "10.0.0.2"])
        let share = world.status["traffic"]?[0]
        #expect(
            share?["revision"] == world.status["revision"] && share?["weight"] == 100 && share?["state"] == "Serving")
        #expect(world.status["gatewaySince"] == nil, "nobody was led elsewhere before")
        #expect(try world.settle() == 0)
    }

    @Test func nobodyElseReachesItsPods() throws {
        var world = try serving(try Self.gateway())
        let policy = try #require(world.all(.networkPolicies).first)
        let pod = try #require(world.all(.deployments).first?["spec", "template", "metadata", "labels"])
        #expect(Coverage.covers(pod, policy["spec", "podSelector", "matchLabels"] ?? .null))
        #expect(pod[Label.revision] != nil)
        let from = policy["spec", "ingress"]?[0]?["from"]?[0]
        #expect(from?["namespaceSelector", "matchLabels"]?["kubernetes.io/metadata.name"] == "assay-system")
        #expect(from?["podSelector", "matchLabels"] == ["app.kubernetes.io/name": "assay-gateway"])

        let name = policy["metadata", "name"]?.string ?? ""
        world.update(.networkPolicies, name) { $0["spec", "ingress"] = [[:]] }
        try world.settle()
        #expect(world.get(.networkPolicies, name)?["spec"] == policy["spec"], "somebody has opened it")
        world.change { $0["spec", "serving", "gateway"] = false }
        try world.settle()
        #expect(world.all(.networkPolicies).isEmpty, "users are led straight to the pods")
    }

    @Test func withoutAGatewayNothingIsSaidOfOne() throws {
        let world = try serving(nil)
        #expect(world.status["gatewayPort"] == nil && world.status["traffic"] == nil)
        #expect(world.get(.services, "wine")?["spec", "selector"] != nil)
        #expect(world.all(.endpointSlices).isEmpty)
    }

    @Test func aSuccessorTakesTheRequests() throws {
        var world = try serving(try Self.gateway())
        let first = world.status["revision"]
        world.change { $0["spec", "serving", "template", "metadata", "labels", "generation"] = "2" }
        try world.settle()
        #expect(world.status["traffic"]?[0]?["revision"] == first, "it is not available yet")
        world.makeDeploymentsAvailable()
        try world.settle()
        #expect(world.status["traffic"]?[0]?["revision"] == world.status["revision"])
        #expect(world.status["revision"] != first)
        #expect(world.get(.services, "wine")?["spec", "selector"] == nil)
    }

    @Test func whereverTheGatewaysPodsAreTheServiceFollows() throws {
        var world = try serving(try Self.gateway())
        world.gateway = try Self.gateway([
            try Self.pod("a", ["10.0.0.1"], isGoing: true), try Self.pod("c", ["10.0.0.3", "fd00::3"]),
            try Self.pod("d", ["10.0.0.4"], isReady: false),
        ])
        try world.settle()
        let slices = world.all(.endpointSlices)
        #expect(slices.compactMap { $0["addressType"]?.string }.sorted() == ["IPv4", "IPv6"])
        let ready = slices.flatMap { $0["endpoints"]?.array ?? [] }.filter { $0["conditions", "ready"] == true }
            .compactMap { $0["addresses"]?[0]?.string }
        #expect(Set(ready) == ["10.0.0.3", "fd00::3"])
        let going = slices.flatMap { $0["endpoints"]?.array ?? [] }.first { $0["addresses"] == ["10.0.0.1"] }
        #expect(going?["conditions"] == ["ready": false, "serving": true, "terminating": true])
        #expect(try world.settle() == 0)

        world.remove(.endpointSlices, slices[0]["metadata", "name"]?.string ?? "")
        try world.settle()
        #expect(world.all(.endpointSlices).count == 2, "somebody has deleted one")
    }

    @Test func whereNoneIsReadyTheModelIsNotEither() throws {
        var world = try serving(try Self.gateway())
        world.gateway = try Self.gateway([try Self.pod("a", ["10.0.0.1"], isReady: false)])
        try world.settle()
        #expect(world.condition("Ready")?["status"] == "False")
        #expect(world.condition("Ready")?["message"]?.string?.contains("no pod of the gateway") == true)
    }

    @Test func oldServersAreToldInTheirOwnWords() throws {
        let world = try serving(try Self.gateway(servesSlices: false))
        #expect(world.all(.endpointSlices).isEmpty)
        let subset = world.get(.endpoints, "wine")?["subsets"]?[0]
        #expect(subset?["addresses"] == [["ip": "10.0.0.1"], ["ip": "10.0.0.2"]])
        #expect(subset?["ports"]?[0]?["port"] == world.status["gatewayPort"])
    }

    // MARK: From one way to the other

    @Test func whoServedBeforeThereWasAGatewayIsLedThereWhenItIsOpen() throws {
        var world = try serving(nil)
        world.gateway = try Self.gateway()
        try world.settle()
        #expect(world.status["gatewayPort"] != nil, "the gateway hears of it")
        #expect(world.get(.services, "wine")?["spec", "selector"] != nil, "and until it has, nobody is sent there")
        try addLeavings(&world)
        world.now = world.now + MLModelPlanner.openingTime
        try world.settle()
        #expect(world.get(.services, "wine")?["spec", "selector"]?.object?.isEmpty ?? true)
        #expect(addresses(world) == ["10.0.0.1", "10.0.0.2"], "what the controller has left leads there no more")
        #expect(world.all(.networkPolicies).isEmpty, "connections of before may be in use")
        #expect(world.get(.endpoints, "wine") == nil)

        // A controller that was just at it.
        try addLeavings(&world)
        world.now = world.now + .seconds(10)
        try world.settle()
        #expect(addresses(world) == ["10.0.0.1", "10.0.0.2"])
        world.now = world.now + MLModelPlanner.closingTime
        try world.settle()
        #expect(world.status["gatewaySince"] == nil && world.all(.networkPolicies).count == 1)
        #expect(try world.settle() == 0)
    }

    @Test func whoLeavesTheGatewayIsServedThereForAWhile() throws {
        var world = try serving(try Self.gateway())
        let port = world.status["gatewayPort"]
        world.change { $0["spec", "serving", "gateway"] = false }
        try world.settle()
        let service = world.get(.services, "wine")
        #expect(service?["spec", "selector"]?[Label.revision] == world.status["revision"])
        #expect(service?["spec", "ports"]?[0]?["targetPort"] == 8080)
        #expect(world.status["gatewayPort"] == port && world.status["traffic"] != nil)
        #expect(world.all(.endpointSlices).count == 1)
        world.now = world.now + MLModelPlanner.closingTime
        try world.settle()
        #expect(world.status["gatewayPort"] == nil && world.status["traffic"] == nil)
        #expect(world.all(.endpointSlices).isEmpty)
        #expect(try world.settle() == 0)
    }

    @Test func whoComesBackMeanwhileKeepsItsPort() throws {
        var world = try serving(try Self.gateway())
        let port = world.status["gatewayPort"]
        world.change { $0["spec", "serving", "gateway"] = false }
        try world.settle()
        world.change { $0["spec", "serving", "gateway"] = true }
        try world.settle()
        #expect(world.status["gatewayPort"] == port && world.status["gatewayUntil"] == nil)
        #expect(world.get(.services, "wine")?["spec", "selector"]?.object?.isEmpty ?? true)
    }

    /// An operator that was started without.
    @Test func whereNobodyKnowsOfAGatewayAnyMoreNothingIsChanged() throws {
        var world = try serving(try Self.gateway())
        let before = world.get(.services, "wine")
        world.gateway = nil
        try world.settle()
        #expect(world.get(.services, "wine") == before && world.status["gatewayPort"] != nil)
    }

    @Test(
        arguments: [
            (["hosts": ["Wine.example.com"]], "spec.serving.hosts[0]: \"Wine.example.com\" is no name of a host"),
            (["hosts": .array((0..<17).map { .string("h\($0)") })], "spec.serving.hosts: has more than 16 entries"),
            (["gateway": false, "retry": "Idempotent"], "spec.serving.retry: is for the gateway"),
            (["gateway": false, "hosts": ["wine"]], "spec.serving.hosts: is for the gateway"),
            (["gateway": false, "auth": "ServiceAccount"], "spec.serving.auth: is for the gateway"),
            (["gateway": false, "containerConcurrency": 1], "spec.serving.containerConcurrency: is for the gateway"),
            (["containerConcurrency": -1], "spec.serving.containerConcurrency: must be between 0"),
            (["containerConcurrency": 1_000_001], "spec.serving.containerConcurrency: must be between 0"),
            (
                ["containerConcurrency": 4, "autoscaling": ["maxReplicas": 2, "target": 4.5]],
                "spec.serving.autoscaling.target: is more than containerConcurrency (4) lets one replica have"
            ),
        ] as [(JSONValue, String)])
    func aMistakeInWhatTheGatewayIsToldIsNamed(_ fields: JSONValue, _ words: String) throws {
        let model = try Sample.model { $0["spec", "serving"] = $0["spec", "serving"]?.merging(patch: fields) }
        let problems = try MLModel(json: model).problems.map { "\($0.path): \($0.message)" }
        #expect(problems.contains { $0.hasPrefix(words) }, "\(problems)")
    }

    /// What the gateway is told makes no other revision.
    @Test func whatTheGatewayIsToldRollsNothingOut() throws {
        var world = try serving(try Self.gateway())
        let revision = world.status["revision"]
        world.change {
            $0["spec", "serving", "hosts"] = ["wine.example.com"]
            $0["spec", "serving", "retry"] = "Idempotent"
            $0["spec", "serving", "auth"] = "ServiceAccount"
            $0["spec", "serving", "containerConcurrency"] = 4
        }
        try world.settle()
        #expect(world.status["revision"] == revision && world.all(.deployments).count == 1)
        for fields: JSONValue in [
            ["hosts": ["a.b"]], ["gateway": false, "containerConcurrency": 0],
            ["containerConcurrency": 4, "autoscaling": ["maxReplicas": 2, "target": 4]],
            [
                "containerConcurrency": 4,
                "autoscaling": ["maxReplicas": 2, "metric": "RequestsPerSecond", "target": 40],
            ],
        ] {
            let model = try Sample.model { $0["spec", "serving"] = $0["spec", "serving"]?.merging(patch: fields) }
            #expect(try MLModel(json: model).problems.isEmpty, "\(fields)")
        }
    }

    // MARK: Callers

    /// Nobody else asks who calls: what cannot be kept is not served.
    @Test func withoutAGatewayWhoAsksForCallersIsNotServed() throws {
        var world = World()
        try world.create(.mlModels, try Sample.model { $0["spec", "serving", "auth"] = "ServiceAccount" })
        try world.settle()
        #expect(world.condition("Stalled")?["reason"] == "GatewayMissing")
        #expect(world.condition("Stalled")?["message"]?.string?.hasPrefix("spec.serving.auth: ") == true)
        #expect(world.all(.trainingJobs).isEmpty && world.all(.services).isEmpty)
    }

    @Test func whatServedBeforeItAskedForCallersIsLedToNoMorePods() throws {
        var world = try serving(nil)
        world.change { $0["spec", "serving", "auth"] = "ServiceAccount" }
        try world.settle()
        #expect(world.condition("Stalled")?["reason"] == "GatewayMissing")
        let service = world.get(.services, "wine")
        #expect(service?["spec", "selector"] != nil, "a mistake takes nothing away")
        world.remove(.services, "wine")
        try world.settle()
        #expect(world.all(.services).isEmpty)
    }

    @Test func withAGatewayWhoAsksForCallersIsServed() throws {
        var world = try serving(try Self.gateway())
        world.change { $0["spec", "serving", "auth"] = "ServiceAccount" }
        try world.settle()
        #expect(world.condition("Stalled") == nil && world.status["phase"] == "Serving")
    }

    // MARK: Ports

    @Test func theOlderOfTwoKeepsAPortAndTheOtherTakesAnother() throws {
        var world = try serving(try Self.gateway())
        let port = try #require(world.status["gatewayPort"]?.int)
        world.gateway?.takenPorts = [port]
        try world.settle()
        let other = try #require(world.status["gatewayPort"]?.int)
        #expect(other != port)
        #expect(world.get(.services, "wine")?["spec", "ports"]?[0]?["targetPort"]?.int == port, "not open yet")
        world.gateway?.takenPorts = []
        world.now = world.now + MLModelPlanner.openingTime
        try world.settle()
        #expect(world.get(.services, "wine")?["spec", "ports"]?[0]?["targetPort"]?.int == other)
        #expect(world.all(.endpointSlices).first?["ports"]?[0]?["port"]?.int == other)
    }

    @Test func aPortFollowsFromTheNameAndIsFree() throws {
        var random = SplitMix(seed: 7)
        for _ in 0..<500 {
            let uid = String(random.next())
            let metadata = try ObjectMeta(json: JSONCursor(["name": "wine", "namespace": "ml", "uid": .string(uid)]))
            let first = try #require(GatewayPort.choose(for: metadata, taken: []))
            #expect(GatewayPort.choose(for: metadata, taken: []) == first)
            var taken: Set = [first]
            for offset in 1..<Int(random.next() % 40 + 2) { taken.insert(first + offset) }
            let second = try #require(GatewayPort.choose(for: metadata, taken: taken))
            #expect(GatewayPort.range.contains(second) && !taken.contains(second))
        }
        let any = try ObjectMeta(json: JSONCursor(["name": "wine", "namespace": "ml", "uid": "u"]))
        #expect(GatewayPort.choose(for: any, taken: Set(GatewayPort.range)) == nil)
        #expect(GatewayPort.choose(for: any, taken: Set(GatewayPort.range).subtracting([20_000])) == 20_000)
    }
}
