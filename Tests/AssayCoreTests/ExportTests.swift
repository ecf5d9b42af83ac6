import JSON
import KubernetesModel
import Testing

@testable import AssayCore

/// A revision as a manifest.
@Suite struct ExportTests {
    private func world(
        store: String = "oci://registry.local/team/wine", _ change: (inout JSONValue) -> Void = { _ in }
    ) throws -> World {
        var world = World()
        world.registry = ["registry.local/wine:1.4": World.digest]
        let workflow = try Sample.workflow()["spec"] ?? .null
        let model = try Sample.model { object in
            object["metadata", "labels"] = ["team": "wine"]
            object["spec", "training", "template", "spec"] = workflow
            object["spec", "training", "template", "spec", "artifactStore", "uri"] = .string(store)
            object["spec", "serving", "artifacts"] = ["model", "scaler"]
            object["spec", "serving", "imageFrom"] = [["container": "server", "step": "train"]]
            object["spec", "serving", "template", "spec", "containers"] = [
                [
                    "name": "server",
                    "env": [["name": "P", "valueFrom": ["secretKeyRef": ["name": "login", "key": "p"]]]],
                ]
            ]
            change(&object)
        }
        try world.create(.mlModels, model)
        try world.settle()
        try world.finishWorkflow()
        world.makeDeploymentsAvailable()
        try world.settle()
        return world
    }

    private func refusal(
        _ world: World, revision: String? = nil, isCopied: Bool = false
    ) throws -> String? {
        do {
            _ = try ModelExport(of: try #require(try world.model()), revision: revision, isCopied: isCopied)
            return nil
        } catch let error as ModelExport.Refusal {
            return error.description
        }
    }

    @Test func allIsNamedByItsContentAndNothingByItsPlace() throws {
        let world = try world()
        let export = try ModelExport(of: try #require(try world.model()))
        let record = try #require(world.status["runs"]?[0]?["record", "digest"]?.string)
        #expect(
            export.manifest == [
                "apiVersion": "assay.dev/v1alpha1", "kind": "MLModel", "metadata": ["name": "wine"],
                "spec": [
                    "artifact": ["digest": .string(record)],
                    "validation": ["thresholds": [["metric": "accuracy", "direction": "Maximize", "threshold": 0.93]]],
                    "serving": [
                        "port": 8080, "replicas": 1, "artifacts": ["model", "scaler"],
                        "template": [
                            "spec": [
                                "containers": [
                                    [
                                        "name": "server", "image": .string("registry.local/wine@\(World.digest)"),
                                        "env": [
                                            [
                                                "name": "P",
                                                "valueFrom": ["secretKeyRef": ["name": "login", "key": "p"]],
                                            ]
                                        ],
                                    ]
                                ]
                            ]
                        ],
                    ],
                ],
            ])
        #expect(export.needs == ["Secret login"])
        #expect(try MLModel(json: export.manifest).problems == [])
    }

    /// In another cluster, with the store's copy, it serves what it served here.
    @Test func anApprovalStaysWhereItWasGiven() throws {
        let world = try world {
            $0["spec", "serving", "rollout"] = [
                "steps": [["weight": 10, "pause": "1m"]], "approval": "Manual", "approvedRevision": "wine-1",
            ]
        }
        let export = try ModelExport(of: try #require(try world.model()))
        #expect(
            export.manifest["spec", "serving", "rollout"] == [
                "steps": [["weight": 10, "pause": "1m"]], "approval": "Manual",
            ])
    }

    @Test func whatIsAppliedElsewhereServesTheSame() throws {
        let here = try world()
        let export = try ModelExport(of: try #require(try here.model()))
        let record = try #require(here.records.values.first)
        var there = World()
        there.defaultStore = .store(ArtifactStoreSpec(uri: "s3://copies/wine"))
        let digest = World.digest(of: record)
        there.elsewhere = [digest: ImportReport(record, digest: digest, artifacts: record.artifacts)]
        try there.create(.mlModels, export.manifest)
        try there.settle()
        there.makeDeploymentsAvailable()
        try there.settle()
        #expect(there.status["phase"] == "Serving")
        func served(_ world: World) -> JSONValue? { world.status["revisions"]?[0]?["content", "artifacts"] }
        #expect(served(there) == served(here) && served(here) != nil)
        let images = there.status["revisions"]?[0]?["images"]?[0]?["digest"]
        #expect(images == here.status["revisions"]?[0]?["images"]?[0]?["digest"])
        #expect(there.stepJobs.isEmpty)
        // And from there it goes on as it came.
        #expect(try ModelExport(of: try #require(try there.model())).manifest == export.manifest)
    }

    @Test func aClaimIsNoPlaceForOthersAndTheCommandsAreNamed() throws {
        let world = try world(store: "pvc://models/wine")
        let record = try #require(world.status["runs"]?[0]?["record", "digest"]?.string)
        let words = try #require(try refusal(world))
        #expect(words.contains("PersistentVolumeClaim models"))
        let lines = words.split(separator: "\n").filter { $0.hasPrefix("  assay artifact copy ") }
        #expect(lines.count == 3, "\(words)")
        #expect(lines[0] == "  assay artifact copy file:///MOUNT/wine@\(record) oci://HOST/REPOSITORY")
        #expect(try refusal(world, isCopied: true) == nil)
    }

    @Test func whatCannotBeExportedIsSaid() throws {
        let good = try world()
        #expect(try refusal(good) == nil)
        #expect(
            try refusal(good, revision: "wine-x")?.hasPrefix("there is no revision wine-x; there are wine-") == true)
        var table: [(String, World)] = []
        func edited(_ edit: (inout JSONValue) -> Void) -> World {
            var world = good
            world.change(edit)
            return world
        }
        table.append(("no revision serves yet", edited { $0["status", "revision"] = nil }))
        table.append(("has left the history", edited { $0["status", "runs"] = [] }))
        table.append(("spec.serving is another now", edited { $0["spec", "serving", "port"] = 9090 }))
        func run(_ edit: (inout JSONValue) -> Void) -> World {
            edited { object in
                var run = object["status", "runs"]?[0] ?? .null
                edit(&run)
                object["status", "runs"] = [run]
            }
        }
        table.append(("is not sealed yet; try again", run { $0["record"] = nil }))
        table.append(("is not sealed yet", run { $0["record", "validationHash"] = "1:old" }))
        table.append(
            (
                "is not sealed yet: the store is away",
                run {
                    $0["record", "digest"] = nil
                    $0["record", "message"] = "the store is away"
                }
            ))
        table.append(("was made without artifacts", run { $0["artifacts"] = nil }))
        table.append(
            (
                "is pinned to no digest",
                edited { object in
                    var revision = object["status", "revisions"]?[0] ?? .null
                    revision["images"] = [["container": "server", "image": "registry.local/wine:1.4"]]
                    object["status", "revisions"] = [revision]
                }
            ))
        table.append(
            (
                "has never served",
                edited { object in
                    var revision = object["status", "revisions"]?[0] ?? .null
                    revision["servingTime"] = nil
                    object["status", "revisions"] = [revision]
                }
            ))
        for (words, world) in table {
            let told = try refusal(world) ?? "nothing"
            #expect(told.contains(words), "\(words): \(told)")
        }
    }
}
