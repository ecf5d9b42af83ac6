import HTTPTransport
import JSON
import KubernetesClient
import KubernetesModel
import LocalCluster
import TestCluster
import Testing

extension Stories {
    /// Watches: where they begin, what they say, how they end.
    @Suite struct WatchConformanceTests {
        static func brief(_ events: [JSONValue]) -> [String] {
            events.map { event in
                "\(event["type"]?.string ?? "") \(event["object"]?["metadata", "name"]?.string ?? event.serialized())"
            }
        }

        private static let table = "application/json;as=Table;v=v1;g=meta.k8s.io"

        @Test(arguments: Backend.all) func aWatchBeginsWithWhatIsThereOrAfterItsVersion(
            _ backend: Backend
        ) async throws {
            try await ConformanceWorld.run(on: backend) { world in
                for name in ["b", "a"] {
                    try await world.send(.post, Path.maps, Sample.map(name, [:], ["labels": ["w": "1"]]))
                }
                let version = try await world.send(.get, Path.maps).version
                for start in ["", "&resourceVersion=", "&resourceVersion=0"] {
                    let events = try await world.watch(Path.maps + "?labelSelector=w" + start)
                    #expect(Self.brief(events).sorted() == ["ADDED a", "ADDED b"], "\(start)")
                }
                #expect(try await world.watch(Path.maps + "?resourceVersion=\(version)") == [])
                let future = try await world.watch(Path.maps + "?resourceVersion=\((Int(version) ?? 0) + 3)")
                #expect(future == [], "\(future)")
                let own = try await world.watch(
                    "/api/v1/configmaps?fieldSelector=metadata.name%3Da,metadata.namespace%3D{ns}")
                #expect(Self.brief(own) == ["ADDED a"])
                #expect(try await world.watch("/api/v1/namespaces/no-such/configmaps") == [])
                let old = try await world.watch("/api/v1/watch/namespaces/{ns}/configmaps?labelSelector=w")
                #expect(old.count >= 2, "the old way to ask: \(old)")
            }
        }

        @Test(arguments: Backend.all) func objectsComeAndGoWithTheSelection(_ backend: Backend) async throws {
            try await ConformanceWorld.run(on: backend) { world in
                let start = try await world.send(.get, Path.maps).version
                let c = Path.maps + "/c"
                func label(_ value: JSONValue) async throws {
                    try await world.send(.patch, c, ["metadata": ["labels": ["w": value]]], type: .merge)
                }
                try await world.send(.post, Path.maps, Sample.map("c", ["x": "0"], ["labels": ["w": "1"]]))
                try await world.send(.patch, c, ["data": ["x": "1"]], type: .merge)
                try await label(.null)
                try await world.send(.patch, c, ["data": ["x": "2"]], type: .merge)
                try await label("2")
                try await label("1")
                try await world.send(.delete, c)
                try await world.send(.post, Path.maps, Sample.map("c", [:], ["labels": ["w": "1"]]))

                let from = "?resourceVersion=\(start)&"
                let one = try await world.watch(Path.maps + from + "labelSelector=w%3D1")
                #expect(
                    Self.brief(one) == [
                        "ADDED c", "MODIFIED c", "DELETED c", "ADDED c", "DELETED c", "ADDED c",
                    ])
                let two = try await world.watch(Path.maps + from + "labelSelector=w%3D2")
                #expect(Self.brief(two) == ["ADDED c", "DELETED c"])
                let all = try await world.watch(Path.maps + from + "fieldSelector=metadata.name%3Dc")
                #expect(all.count == 8)
                #expect(Self.brief(try await world.watch(Path.maps + from + "fieldSelector=metadata.name%3Dd")) == [])

                func versions(_ events: [JSONValue]) -> [Int] {
                    events.compactMap { $0["object"]?["metadata", "resourceVersion"]?.string.flatMap { Int($0) } }
                }
                for events in [one, two, all] {
                    #expect(zip(versions(events), versions(events).dropFirst()).allSatisfy { $0 < $1 })
                }
                // An object that leaves is shown as it was when it still belonged, at the version of the change.
                let left = try #require(one.first { $0["type"] == "DELETED" })
                #expect(left["object"]?["metadata", "labels", "w"] == "1")
                #expect(left["object"]?["data", "x"] == "1")
                #expect(versions([left]) == versions(Array(all.dropFirst(2).prefix(1))))
                let gone = try #require(all.first { $0["type"] == "DELETED" })
                #expect(versions([gone]).first ?? 0 > versions(Array(all.dropFirst(5).prefix(1))).first ?? .max - 1)
            }
        }

        @Test(arguments: Backend.all) func aWatchSpeaksTheFormAskedFor(_ backend: Backend) async throws {
            try await ConformanceWorld.run(on: backend) { world in
                for name in ["a", "b"] {
                    try await world.send(.post, Path.maps, Sample.map(name, ["x": "1"], ["labels": ["w": "1"]]))
                }
                let rows = try await world.watch(Path.maps + "?labelSelector=w", accept: Self.table)
                #expect(rows.map { $0["object"]?["kind"] } == ["Table", "Table"])
                #expect(rows.first?["object"]?["columnDefinitions"]?.array?.count == 3)
                #expect(rows.last?["object"]?["columnDefinitions"]?.array ?? [] == [], "columns are named once")
                let partial = try await world.watch(
                    Path.maps + "?fieldSelector=metadata.name%3Da",
                    accept: "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io")
                #expect(partial.map { $0["object"]?["kind"] } == ["PartialObjectMetadata"])
                #expect(partial.first?["object"]?["data"] == nil)
                let single = try await world.send(.get, "/api/v1/watch/namespaces/{ns}/configmaps/a?timeoutSeconds=1")
                #expect(single.status == 200 && single.text.contains(#""ADDED""#), "\(single)")
            }
        }

        @Test(arguments: Backend.all) func aWatchThatCannotBeIsRefused(_ backend: Backend) async throws {
            try await ConformanceWorld.run(on: backend) { world in
                let refused: [(String, ClosedRange<Int>)] = [
                    ("resourceVersion=x", 400...500), ("labelSelector=a%20b", 400...400),
                    ("fieldSelector=data.x%3D1", 400...400), ("timeoutSeconds=x", 400...400),
                    ("resourceVersionMatch=Exact&resourceVersion=1", 422...422),
                ]
                for (query, statuses) in refused {
                    let answer = try await world.send(.get, Path.maps + "?watch=true&\(query)")
                    #expect(statuses.contains(answer.status), "\(query): \(answer)")
                }
            }
        }

        @Test(arguments: Backend.all) func bookmarksComeOnlyToThoseWhoAsk(_ backend: Backend) async throws {
            try await ConformanceWorld.run(on: backend) { world in
                let version = try await world.send(.post, Path.maps, Sample.map("a")).version
                try await world.send(.post, Path.maps, Sample.map("b"))
                let stream = try await world.client.watch(
                    .configMaps, namespace: world.namespace,
                    WatchOptions(resourceVersion: version, allowBookmarks: true, timeoutSeconds: 3))
                var seen: [String] = []
                var marks: [Int] = []
                while let batch = try await stream.next() {
                    for event in batch {
                        switch event {
                        case .added(let object): seen.append(object["metadata", "name"]?.string ?? "")
                        case .bookmark(let mark, let isEnd):
                            marks.append(Int(mark) ?? 0)
                            #expect(!isEnd)
                        default: Issue.record("an event that nobody made: \(event)")
                        }
                    }
                }
                #expect(seen == ["b"])
                #expect(marks.allSatisfy { $0 > Int(version) ?? 0 })
            }
        }

        @Test(arguments: Backend.all) func aVersionThatIsForgottenIsGone(_ backend: Backend) async throws {
            try await ConformanceWorld.run(on: backend) { world in
                for name in ["a", "b", "c"] { try await world.send(.post, Path.maps, Sample.map(name)) }
                let page = try await world.send(.get, Path.maps + "?limit=1")
                try await world.send(.delete, Path.maps + "/c")
                try await world.cluster.forgetHistory()
                // A real server has the changes in memory for a while, but none from before the kind was there.
                let models = "/apis/assay.dev/v1alpha1/namespaces/{ns}/mlmodels"
                let answer = try await world.watch(models + "?resourceVersion=1")
                #expect(answer.first?["type"] == "ERROR" || answer.first?["code"] == 410, "\(answer)")
                let object = answer.first?["object"] ?? answer.first
                #expect(object?["code"] == 410 && object?["reason"] == "Expired", "\(answer)")
                let token = Query.escaped(page.json["metadata", "continue"]?.string ?? "")
                let gone = try await world.send(.get, Path.maps + "?limit=1&continue=\(token)")
                #expect(gone.status == 410 && gone.reason == "Expired", "\(gone)")
                let fresh = Query.escaped(gone.json["metadata", "continue"]?.string ?? "")
                let rest = try await world.send(.get, Path.maps + "?continue=\(fresh)")
                #expect(rest.names == ["b"], "\(rest)")
            }
        }
    }
}

enum Query {
    static func escaped(_ text: String) -> String {
        text.map { $0 == "+" ? "%2B" : $0 == "=" ? "%3D" : $0 == "/" ? "%2F" : String($0) }.joined()
    }
}
