import JSON
import KubernetesModel
import Testing

@testable import AssayCore

/// What canaries need of a world.
extension World {
    static let canarySteps: JSONValue = [["weight": 10, "pause": "2m"], ["weight": 50, "pause": "5m"]]

    static func canaryGateway(_ pods: [String] = ["a", "b"]) throws -> GatewayObservation {
        GatewayObservation(
            namespace: "assay-system",
            pods: try pods.map { name in
                try GatewayPod(json: [
                    "metadata": ["name": .string(name), "namespace": "assay-system", "uid": .string(name)],
                    "status": [
                        "phase": "Running", "podIP": "10.0.0.1", "conditions": [["type": "Ready", "status": "True"]],
                    ],
                ])
            })
    }

    /// A model that serves, with a second revision that is available.
    static func canary(
        _ rollout: JSONValue = ["steps": canarySteps],
        _ change: (inout JSONValue) -> Void = { _ in }
    ) throws -> World {
        var world = World()
        world.gateway = try canaryGateway()
        try world.create(
            .mlModels,
            try Sample.model {
                $0["spec", "serving", "rollout"] = rollout
                change(&$0)
            })
        try world.settle()
        world.succeedJob()
        try world.settle()
        world.makeDeploymentsAvailable()
        try world.settle()
        #expect(world.status["phase"] == "Serving" && world.status["rollout"] == nil)
        try world.succeed()
        return world
    }

    /// Another revision is made, and comes up.
    mutating func succeed(port: Int = 9090) throws {
        now = now + .seconds(60)
        change { $0["spec", "serving", "port"] = JSONValue(port) }
        try settle()
        for _ in 0..<2 {
            makeDeploymentsAvailable()
            try settle()
        }
    }

    var shares: [String] {
        let names = (status["revisions"]?.array ?? []).compactMap { $0["name"]?.string }
        return (status["traffic"]?.array ?? []).map { share in
            let number = (names.firstIndex { $0 == share["revision"]?.string } ?? -1) + 1
            return "\(number) \(share["weight"]?.int ?? -1) \(share["state"]?.string ?? "")"
        }
    }

    /// What the gateways tell of the canary since the step began, in each of them.
    mutating func tellOfCanary(
        requests: Int, errors: Int = 0, seconds: Double = 0.02,
        of answering: [String] = ["a", "b"]
    ) throws {
        let model = try #require(try model()?.status.value)
        let rollout = try #require(model.rollout)
        var load = RevisionLoad()
        for index in 0..<requests { load.count(isError: index < errors, seconds: seconds) }
        let zero = GatewayLoad.Model(generation: model.trafficGeneration ?? 0)
        var count = CanaryCount(of: rollout, before: ["a": zero, "b": zero])
        var report = zero
        report.revisions[rollout.revision] = load
        count.add(
            Dictionary(uniqueKeysWithValues: answering.map { ($0, report) }), of: ["a", "b"], step: rollout.step,
            generation: zero.generation)
        gateway?.canary = count
    }

    mutating func pass(_ seconds: Int64) throws {
        now = now + .seconds(seconds)
        try settle()
    }

    func revision(_ number: Int) -> JSONValue { status["revisions"]?[number - 1] ?? [:] }
}
