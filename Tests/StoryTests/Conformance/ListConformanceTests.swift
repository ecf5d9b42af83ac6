import HTTPTransport
import JSON
import TestCluster
import Testing

extension Stories {
    /// Lists: selectors, pages, versions, and the forms of an answer.
    @Suite struct ListConformanceTests {
        /// Five maps, a to e: even ones are labelled so, all have their number.
        private static func fill(_ world: ConformanceWorld) async throws {
            for (index, name) in ["a", "b", "c", "d", "e"].enumerated() {
                try await world.send(
                    .post, Path.maps,
                    Sample.map(
                        name, ["i": "\(index)"],
                        ["labels": ["p": index % 2 == 0 ? "even" : "odd", "n": .string("\(index)")]]))
            }
        }

        static let selections: [(query: String, names: [String])] = [
            ("labelSelector=p%3Deven", ["a", "c", "e"]), ("labelSelector=p%3D%3Deven", ["a", "c", "e"]),
            ("labelSelector=p!%3Deven,n", ["b", "d"]), ("labelSelector=p%20in%20(even,x)", ["a", "c", "e"]),
            ("labelSelector=p%20notin%20(even),p", ["b", "d"]), ("labelSelector=!p", []),
            ("labelSelector=n", ["a", "b", "c", "d", "e"]), ("labelSelector=n%3E2", ["d", "e"]),
            ("labelSelector=n%3C2", ["a", "b"]), ("labelSelector=", ["a", "b", "c", "d", "e"]),
            ("fieldSelector=metadata.name%3Da", ["a"]), ("fieldSelector=metadata.name!%3Da", ["b", "c", "d", "e"]),
            ("fieldSelector=metadata.name%3Da,metadata.name%3Db", []), ("fieldSelector=metadata.namespace%3Dx", []),
            ("limit=0", ["a", "b", "c", "d", "e"]), ("resourceVersion=0", ["a", "b", "c", "d", "e"]),
            ("resourceVersion=0&limit=2", ["a", "b", "c", "d", "e"]),
            ("resourceVersion=0&resourceVersionMatch=NotOlderThan", ["a", "b", "c", "d", "e"]),
        ]

        static let refusals: [(query: String, status: ClosedRange<Int>)] = [
            ("labelSelector=p%20in", 400...400), ("labelSelector=p%3Da%3Db", 400...400),
            ("labelSelector=a%20b", 400...400), ("labelSelector=n%3Ex", 400...400),
            ("labelSelector=-a%3Db", 400...400), ("labelSelector=a%3D-b", 400...400),
            ("fieldSelector=data.x%3D1", 400...400), ("fieldSelector=foo", 400...400),
            ("limit=x", 400...400), ("continue=abc", 400...400), ("timeoutSeconds=x", 400...400),
            ("resourceVersion=x", 400...500), ("resourceVersion=99999999", 504...504),
            ("resourceVersionMatch=Exact", 422...422), ("resourceVersion=1&resourceVersionMatch=Foo", 422...422),
            ("resourceVersion=0&resourceVersionMatch=Exact", 422...422),
            ("resourceVersion=1&continue=abc", 400...400),
        ]

        @Test(arguments: Backend.all) func selectorsSelectAndBadOnesAreRefused(_ backend: Backend) async throws {
            try await ConformanceWorld.run(on: backend) { world in
                try await Self.fill(world)
                for (query, names) in Self.selections {
                    let answer = try await world.send(.get, Path.maps + "?" + query)
                    #expect(answer.status == 200 && answer.names == names, "\(query): \(answer)")
                }
                for (query, statuses) in Self.refusals {
                    let answer = try await world.send(.get, Path.maps + "?" + query)
                    #expect(statuses.contains(answer.status), "\(query): \(answer)")
                }
                #expect(try await world.send(.get, Path.maps + "/a?resourceVersion=99999999").status == 504)
                #expect(try await world.send(.get, Path.maps + "/a?resourceVersion=0").status == 200)
            }
        }

        static let fields: [(path: String, status: Int)] = [
            (Path.pods + "?fieldSelector=spec.nodeName%3Da", 200), (Path.pods + "?fieldSelector=status.phase%3Da", 200),
            (Path.pods + "?fieldSelector=status.podIP%3Da", 200),
            (Path.pods + "?fieldSelector=spec.restartPolicy%3Da", 200),
            (Path.pods + "?fieldSelector=spec.serviceAccountName%3Da", 200),
            (Path.pods + "?fieldSelector=spec.containers%3Da", 400),
            (Path.core + "events?fieldSelector=involvedObject.name%3Da,type%3DNormal,reason%3Db", 200),
            (Path.core + "secrets?fieldSelector=type%3DOpaque", 200),
            (Path.core + "serviceaccounts?fieldSelector=secrets%3Dx", 400),
            (Path.jobs + "?fieldSelector=status.successful%3D1", 200),
            (Path.deployments + "?fieldSelector=status.replicas%3D1", 400),
            ("/api/v1/namespaces?fieldSelector=status.phase%3DActive", 200),
            ("/api/v1/nodes?fieldSelector=spec.unschedulable%3Dtrue", 200),
        ]

        @Test(arguments: Backend.all) func eachKindSaysWhichFieldsItIsSelectedBy(_ backend: Backend) async throws {
            try await ConformanceWorld.run(on: backend) { world in
                for (path, status) in Self.fields {
                    let answer = try await world.send(.get, path)
                    #expect(answer.status == status, "\(path): \(answer)")
                }
                try await world.send(.post, Path.pods, Sample.pod("p"))
                for (selector, count) in [
                    ("spec.nodeName%3D", 1), ("spec.nodeName!%3D", 0), ("status.phase%3DPending", 1),
                ] {
                    let answer = try await world.send(.get, Path.pods + "?fieldSelector=" + selector)
                    #expect(answer.items.count == count, "\(selector): \(answer)")
                }
            }
        }

        @Test(arguments: Backend.all) func pagesShowOneVersionWhateverIsWrittenMeanwhile(
            _ backend: Backend
        ) async throws {
            try await ConformanceWorld.run(on: backend) { world in
                try await Self.fill(world)
                let all = try await world.send(.get, Path.maps + "?limit=2")
                #expect(all.json["metadata", "remainingItemCount"] == 4)
                let first = try await world.send(.get, Path.maps + "?limit=2&labelSelector=p")
                #expect(first.names == ["a", "b"])
                #expect(first.json["metadata", "remainingItemCount"] == nil, "unknown under a selector")
                let token = Query.escaped(first.json["metadata", "continue"]?.string ?? "")
                try await world.send(.delete, Path.maps + "/e")
                try await world.send(.post, Path.maps, Sample.map("f", [:], ["labels": ["p": "x"]]))
                let rest = try await world.send(.get, Path.maps + "?labelSelector=p&continue=\(token)")
                #expect(rest.names == ["c", "d", "e"])
                #expect(rest.version == first.version)
                #expect(rest.json["metadata", "continue"]?.string ?? "" == "")
                let version = first.version
                let kinds: [(String, [String])] = [
                    ("&resourceVersionMatch=Exact", ["a", "b", "c", "d", "e"]),
                    ("&resourceVersionMatch=NotOlderThan", ["a", "b", "c", "d", "f"]), ("", ["a", "b", "c", "d", "f"]),
                ]
                for (match, names) in kinds {
                    let answer = try await world.send(
                        .get, Path.maps + "?labelSelector=p&resourceVersion=\(version)\(match)")
                    #expect(answer.names == names, "\(match): \(answer)")
                }
                for query in ["&resourceVersion=1", "&resourceVersionMatch=Exact"] {
                    let answer = try await world.send(.get, Path.maps + "?limit=2&continue=\(token)\(query)")
                    #expect([400, 422].contains(answer.status), "\(query): \(answer)")
                }
            }
        }

        @Test(arguments: Backend.all) func anAnswerHasTheFormAskedFor(_ backend: Backend) async throws {
            let table = "application/json;as=Table;v=v1;g=meta.k8s.io"
            let one = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
            let list = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
            let forms: [(path: String, accept: String, status: Int, kind: String)] = [
                ("", table, 200, "Table"), ("/a", table, 200, "Table"),
                ("/a", one, 200, "PartialObjectMetadata"), ("", list, 200, "PartialObjectMetadataList"),
                ("", one, 406, "Status"), ("/a", "text/html", 406, "Status"),
                ("/a", "text/html, */*", 200, "ConfigMap"),
                ("/a", "application/json;as=Table;v=v9;g=meta.k8s.io", 406, "Status"),
                ("/a", "application/json;as=Table;v=v9;g=meta.k8s.io,application/json", 200, "ConfigMap"),
                ("/a", "application/json;as=Thing;v=v1;g=meta.k8s.io", 406, "Status"),
                ("/none", table, 404, "Status"), ("/a?includeObject=Foo", table, 400, "Status"),
            ]
            try await ConformanceWorld.run(on: backend) { world in
                try await Self.fill(world)
                for form in forms {
                    let answer = try await world.send(.get, Path.maps + form.path, accept: form.accept)
                    #expect(
                        answer.status == form.status && answer.kind == form.kind,
                        "\(form.path) \(form.accept): \(answer)")
                }
                let rows = try await world.send(.get, Path.maps + "?limit=1&labelSelector=p", accept: table)
                #expect((rows.json["columnDefinitions"]?.array ?? []).map { $0["name"] } == ["Name", "Data", "Age"])
                #expect((rows.json["rows"]?.array ?? []).map { $0["cells"]?[0] } == ["a"])
                #expect(rows.json["rows"]?[0]?["cells"]?[1] == 1)
                #expect(rows.json["rows"]?[0]?["object"]?["kind"] == "PartialObjectMetadata")
                #expect(rows.json["metadata", "continue"]?.string?.isEmpty == false)
                for (include, kind) in [("None", nil), ("Object", "ConfigMap"), ("Metadata", "PartialObjectMetadata")] {
                    let answer = try await world.send(.get, Path.maps + "/a?includeObject=\(include)", accept: table)
                    #expect(answer.json["rows"]?[0]?["object"]?["kind"]?.string == kind)
                }
                let partial = try await world.send(.get, Path.maps + "/a", accept: one)
                #expect(partial.json["data"] == nil && partial.json["metadata", "labels", "p"] == "even")
                let made = try await world.send(.post, Path.maps, Sample.map("t"), accept: table)
                #expect(made.status == 201 && made.kind == "Table", "\(made)")
                let both = "application/vnd.kubernetes.protobuf,application/json"
                let fallback = try await world.send(.get, Path.definitions + "/none", accept: both)
                #expect(fallback.status == 404, "\(fallback)")
            }
        }

        @Test(arguments: Backend.all) func aCollectionIsDeletedByItsSelection(_ backend: Backend) async throws {
            try await ConformanceWorld.run(on: backend) { world in
                try await Self.fill(world)
                let answer = try await world.send(.delete, Path.maps + "?labelSelector=p%3Dodd")
                #expect(answer.kind == "ConfigMapList" && answer.names == ["b", "d"], "\(answer)")
                #expect(try await world.send(.get, Path.maps).names == ["a", "c", "e"])
                try await world.expect([
                    Exchange("all namespaces", .delete, "/api/v1/namespaces", is: 405, "MethodNotAllowed"),
                    Exchange("without a namespace", .delete, "/api/v1/configmaps", is: 405, "MethodNotAllowed"),
                ])
            }
        }
    }
}
