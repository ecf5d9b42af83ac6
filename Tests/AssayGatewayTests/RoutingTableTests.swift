import AssayCore
import JSON
import KubernetesModel
import Testing

@testable import AssayGateway

@Suite struct RoutingTableTests {
    private static func key(_ name: String) -> ObjectKey { ObjectKey(namespace: "ml", name: name) }

    @Test func aModelsRouteHasItsRevisionsAndTheirPods() throws {
        var table = RoutingTable()
        let traffic = [("wine-1", 90, "Serving"), ("wine-2", 10, "Canary")]
        #expect(table.apply(try ModelRecord(json: modelJSON(traffic: traffic, podPort: 9000))) == Self.key("wine"))
        #expect(table.apply(try PodRecord(json: podJSON("b", address: "10.0.0.2"))) == Self.key("wine"))
        #expect(table.apply(try PodRecord(json: podJSON("a", revision: "wine-2", isReady: false))) == Self.key("wine"))
        let route = try #require(table.routes[Self.key("wine")])
        #expect(route.port == 7001)
        #expect(route.revisions.map(\.share.revision) == ["wine-1", "wine-2"])
        #expect(
            route.revisions[0].endpoints == [Endpoint(pod: "uid-b", address: "10.0.0.2", port: 9000, isReady: true)])
        #expect(
            route.revisions[1].endpoints == [Endpoint(pod: "uid-a", address: "10.0.0.1", port: 9000, isReady: false)])
    }

    @Test func podsThatAreKnownBeforeTheirModelAreRoutedToOnceItCame() throws {
        var table = RoutingTable()
        #expect(table.apply(try PodRecord(json: podJSON("a"))) == nil)
        table.apply(try ModelRecord(json: modelJSON()))
        #expect(table.routes[Self.key("wine")]?.revisions[0].endpoints.count == 1)
    }

    @Test(arguments: ["without address", "ended", "going", "of another revision", "of another namespace"])
    func aPodGetsNothingThatIs(_ which: String) throws {
        var json = podJSON("a")
        switch which {
        case "without address": json = podJSON("a", address: nil)
        case "ended": json = podJSON("a", phase: "Failed")
        case "going": json["metadata", "deletionTimestamp"] = "2026-01-01T00:00:00Z"
        case "of another revision": json = podJSON("a", revision: "wine-7")
        default: json = podJSON("a", namespace: "other")
        }
        var table = RoutingTable()
        table.apply(try ModelRecord(json: modelJSON()))
        table.apply(try PodRecord(json: json))
        #expect(table.routes[Self.key("wine")]?.revisions[0].endpoints == [])
    }

    @Test func aChangeThatChangesNoRouteIsNone() throws {
        var table = RoutingTable()
        table.apply(try ModelRecord(json: modelJSON()))
        let pod = try PodRecord(json: podJSON("a"))
        #expect(table.apply(pod) != nil)
        #expect(table.apply(pod) == nil)
        #expect(table.apply(try ModelRecord(json: modelJSON())) == nil)
        #expect(table.remove(pod) != nil)
        #expect(table.remove(model: Self.key("wine")) != nil)
        #expect(table.remove(model: Self.key("wine")) == nil)
    }

    @Test func ofTwoModelsThatClaimAPortTheOlderHasIt() throws {
        var table = RoutingTable()
        table.apply(try ModelRecord(json: modelJSON("new", created: "2026-02-01T00:00:00Z", hosts: ["w.example"])))
        table.apply(try ModelRecord(json: modelJSON("old", created: "2026-01-01T00:00:00Z", hosts: ["W.example"])))
        #expect(table.model(port: 7001) == Self.key("old"))
        #expect(table.model(host: "w.EXAMPLE.:80") == Self.key("old"))
        table.remove(model: Self.key("old"))
        #expect(table.model(port: 7001) == Self.key("new"))
        #expect(table.model(host: "w.example") == Self.key("new"))
        table.apply(try ModelRecord(json: modelJSON("new", port: 7002)))
        #expect(table.model(port: 7001) == nil && table.model(host: "w.example") == nil)
        #expect(table.portOwners == [7002: Self.key("new")])
    }

    @Test(arguments: [
        ("wine.example", "wine.example"), ("Wine.Example:80", "wine.example"), ("a.", "a"), ("[::1]:80", "[::1]"),
    ])
    func aNameIsReadWithoutItsPort(_ host: String, _ name: String) { #expect(RoutingTable.name(host) == name) }

    @Test func whatCannotBeReadIsSaid() {
        #expect(throws: JSONShapeError.self) { try ModelRecord(json: modelJSON(port: 70000)) }
        #expect(throws: JSONShapeError.self) { try ModelRecord(json: modelJSON(traffic: [("a", 101, "Serving")])) }
        #expect(throws: JSONShapeError.self) { try ModelRecord(json: modelJSON(traffic: [("a", 1, "Asleep")])) }
    }

    @Test func aPodIsAskedAsItsContainerSays() throws {
        func probe(_ json: JSONValue?) throws -> PodProbe {
            try PodRecord(json: podJSON("a", probe: json)).probe(port: 8080)
        }
        #expect(try probe(nil) == .connect)
        #expect(try probe(["tcpSocket": ["port": 8080]]) == .connect)
        #expect(try probe(["httpGet": ["path": "/ready", "port": 8080]]) == .get(path: "/ready"))
        #expect(try probe(["httpGet": ["port": 8080]]) == .get(path: "/"))
        #expect(try probe(["httpGet": ["path": "/a b"]]) == .kubelet)
        #expect(try probe(["httpGet": ["path": "/", "scheme": "HTTPS"]]) == .kubelet)
        #expect(try probe(["exec": ["command": ["true"]]]) == .kubelet)
    }
}

@Suite struct WeightedRotationTests {
    @Test(arguments: [
        ([1, 1], "abab"), ([2, 1], "abaaba"), ([5, 1], "aaabaa"), ([90, 10], "aaaaabaaaa"), ([0, 3], "bbb"),
        ([1], "aaa"),
        ([3, 2, 1], "abacba"),
    ])
    func requestsAreSpreadAsTheWeightsSay(_ weights: [Int], _ expected: String) {
        var rotation = WeightedRotation(weights)
        let letters = Array("abc")
        var chosen = ""
        for _ in expected { chosen.append(letters[rotation.next() ?? 0]) }
        #expect(chosen == expected)
    }

    @Test func noneIsChosenWithoutWeight() {
        var rotation = WeightedRotation([0, 0])
        let chosen = rotation.next()
        var empty = WeightedRotation([])
        let none = empty.next()
        #expect(chosen == nil && none == nil)
    }

    @Test func aCanaryGetsItsPartToWithinOneRequestAtEveryMoment() {
        for weight in 0...100 {
            var rotation = WeightedRotation([100 - weight, weight])
            var canary = 0
            for count in 1...1000 {
                if rotation.next() == 1 { canary += 1 }
                let due = Double(count * weight) / 100
                #expect(abs(Double(canary) - due) < 1, "weight \(weight), \(count) requests")
            }
        }
    }

    @Test func anyWeightsAreKeptToWithinOneRequestPerAlternative() {
        var dice = Dice(7)
        for _ in 0..<300 {
            let weights = (0..<dice.roll(2..<6)).map { _ in dice.roll(1..<100) }
            let total = weights.reduce(0, +)
            var rotation = WeightedRotation(weights)
            var counts = weights.map { _ in 0 }
            for count in 1...(2 * total) {
                guard let index = rotation.next() else { continue }
                counts[index] += 1
                for (got, weight) in zip(counts, weights) {
                    let off = abs(Double(got) - Double(count * weight) / Double(total))
                    #expect(off < Double(weights.count - 1))
                }
                if count % total == 0 { #expect(counts == weights.map { $0 * count / total }) }
            }
        }
    }

    @Test func whoCannotBeChosenIsPassedOver() {
        var rotation = WeightedRotation([1, 1, 1])
        var chosen: [Int?] = []
        for _ in 0..<4 { chosen.append(rotation.next { $0 != 1 }) }
        #expect(chosen == [0, 2, 0, 2])
        let none = rotation.next { _ in false }
        #expect(none == nil)
    }
}
