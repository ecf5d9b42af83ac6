import JSON
import KubernetesModel
import Testing

@testable import APIServerModel

/// Laws that must hold over any history.
@Suite struct HistoryTests {
    /// What a client knows that has listed and then watched.
    private struct Follower {
        var id: WatchID
        var versions: [String: String] = [:]

        mutating func follow(_ server: inout APIServer) {
            for line in server.takeEvents(id).lines {
                let event = TestServer.parse(line)
                let metadata = event["object", "metadata"]
                let name = metadata?["name"]?.string ?? ""
                switch event["type"] {
                case "ADDED":
                    #expect(versions[name] == nil, "added twice: \(name)")
                    versions[name] = metadata?["resourceVersion"]?.string
                case "MODIFIED":
                    #expect(versions[name] != nil, "modified before it was added: \(name)")
                    versions[name] = metadata?["resourceVersion"]?.string
                case "DELETED":
                    #expect(versions[name] != nil, "deleted before it was added: \(name)")
                    versions[name] = nil
                default: Issue.record("unexpected \(event)")
                }
            }
        }
    }

    private static func versions(_ list: JSONValue) -> [String: String] {
        var result: [String: String] = [:]
        for item in list["items"]?.array ?? [] {
            result[item["metadata", "name"]?.string ?? ""] = item["metadata", "resourceVersion"]?.string
        }
        return result
    }

    private static func step(_ t: inout TestServer, _ random: inout SeededGenerator) {
        let name = "m\(random.next() % 6)"
        let target = Sample.maps + "/" + name
        switch random.next() % 6 {
        case 0, 1:
            var map = Sample.map(name, labels: random.next() % 2 == 0 ? ["on": "1"] : [:])
            if random.next() % 4 == 0 { map["metadata", "finalizers"] = ["example.dev/hold"] }
            t.post(Sample.maps, map)
        case 2: t.merge(target, ["data": ["k": .string(String(random.next() % 3))]])
        case 3: t.merge(target, ["metadata": ["labels": ["on": random.next() % 2 == 0 ? "1" : .null]]])
        case 4: t.delete(target)
        default: t.merge(target, ["metadata": ["finalizers": []]])
        }
    }

    @Test(arguments: 1...20) func `A watch followed from a list gives the next list, under every selector`(seed: Int) {
        var t = TestServer()
        var random = SeededGenerator(seed: UInt64(seed))
        let queries = ["", "labelSelector=on", "labelSelector=!on", "fieldSelector=metadata.name%3Dm1"]
        var followers: [(query: String, follower: Follower)] = []
        for round in 0..<60 {
            Self.step(&t, &random)
            if round % 15 == 0 {
                for query in queries {
                    let list = t.get("\(Sample.maps)?\(query)")
                    let id = t.watch("\(Sample.maps)?watch=1&resourceVersion=\(list.resourceVersion)&\(query)")
                    followers.append((query, Follower(id: id, versions: Self.versions(list.json))))
                }
            }
            for index in followers.indices where random.next() % 3 == 0 || round == 59 {
                followers[index].follower.follow(&t.server)
                let list = t.get("\(Sample.maps)?\(followers[index].query)")
                #expect(followers[index].follower.versions == Self.versions(list.json))
            }
        }
    }

    @Test(arguments: 1...5) func `Every version within the window can be listed as it was`(seed: Int) {
        var t = TestServer()
        var random = SeededGenerator(seed: UInt64(seed))
        var seen: [(String, JSONValue)] = []
        for _ in 0..<40 {
            Self.step(&t, &random)
            let list = t.get(Sample.maps)
            seen.append((list.resourceVersion, list.json))
        }
        for (version, list) in seen {
            #expect(t.get("\(Sample.maps)?resourceVersion=\(version)&resourceVersionMatch=Exact").json == list)
        }
    }

    @Test func `The same requests give the same answers`() {
        func run() -> [[UInt8]] {
            var t = TestServer()
            var random = SeededGenerator(seed: 3)
            for _ in 0..<50 { Self.step(&t, &random) }
            return [t.get(Sample.maps).response.body, t.get("/api/v1/events").response.body]
        }
        #expect(run() == run())
    }
}
