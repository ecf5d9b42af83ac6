import JSON
import KubernetesModel
import Testing

@testable import APIServerModel

@Suite struct TablePrinterTests {
    static let now = Timestamp(seconds: 1_000_000)

    @Test(arguments: [
        (-5, "<invalid>"), (-1, "0s"), (0, "0s"), (119, "119s"), (120, "2m"), (190, "3m10s"), (599, "9m59s"),
        (600, "10m"), (10_799, "179m"), (10_800, "3h"), (12_000, "3h20m"), (28_800, "8h"), (172_799, "47h"),
        (172_800, "2d"), (180_000, "2d2h"), (691_200, "8d"), (63_071_999, "729d"), (63_072_000, "2y"),
        (70_000_000, "2y80d"), (300_000_000, "9y"),
    ])
    func `An age is printed as kubectl prints it`(_ seconds: Int64, _ text: String) {
        #expect(HumanDuration.text(.seconds(seconds)) == text)
    }

    struct Example: Sendable, CustomTestStringConvertible {
        var kind: String
        var object: JSONValue
        var cells: [JSONValue]
        var testDescription: String { "\(kind) \(cells)" }

        init(_ kind: String, _ object: JSONValue, _ cells: JSONValue...) {
            self.kind = kind
            self.object = object
            self.cells = cells
        }
    }

    private static func pod(_ status: JSONValue, deleted: Bool = false) -> JSONValue {
        var pod: JSONValue = [
            "metadata": ["name": "a", "creationTimestamp": "1970-01-12T13:46:30Z"],
            "spec": ["containers": [["name": "c"]], "initContainers": [["name": "i"]], "nodeName": "n"],
        ]
        pod["status"] = status
        if deleted { pod["metadata", "deletionTimestamp"] = "1970-01-12T13:46:30Z" }
        return pod
    }

    static let examples: [Example] = [
        Example("Pod", pod(["phase": "Pending"]), "a", "0/1", "Pending", "0", "10s"),
        Example(
            "Pod",
            pod([
                "phase": "Running", "podIP": "10.0.0.1",
                "containerStatuses": [["name": "c", "ready": true, "restartCount": 0, "state": ["running": [:]]]],
            ]), "a", "1/1", "Running", "0", "10s", "10.0.0.1", "n"),
        Example(
            "Pod",
            pod([
                "phase": "Running",
                "containerStatuses": [
                    [
                        "name": "c", "restartCount": 3, "state": ["waiting": ["reason": "CrashLoopBackOff"]],
                        "lastState": ["terminated": ["finishedAt": "1970-01-12T13:46:35Z"]],
                    ]
                ],
            ]), "a", "0/1", "CrashLoopBackOff", "3 (5s ago)", "10s"),
        Example(
            "Pod",
            pod([
                "phase": "Succeeded",
                "containerStatuses": [
                    ["name": "c", "restartCount": 0, "state": ["terminated": ["exitCode": 0, "reason": "Completed"]]]
                ],
            ]), "a", "0/1", "Completed", "0", "10s"),
        Example(
            "Pod",
            pod([
                "phase": "Failed",
                "containerStatuses": [["name": "c", "restartCount": 0, "state": ["terminated": ["exitCode": 7]]]],
            ]), "a", "0/1", "ExitCode:7", "0", "10s"),
        Example(
            "Pod",
            pod([
                "phase": "Pending",
                "initContainerStatuses": [["name": "i", "restartCount": 0, "state": ["running": [:]]]],
            ]),
            "a", "0/1", "Init:0/1", "0", "10s"),
        Example(
            "Pod",
            pod([
                "phase": "Pending",
                "initContainerStatuses": [
                    ["name": "i", "restartCount": 2, "state": ["terminated": ["exitCode": 1, "reason": "Error"]]]
                ],
            ]), "a", "0/1", "Init:Error", "2", "10s"),
        Example("Pod", pod(["phase": "Running"], deleted: true), "a", "0/1", "Terminating", "0", "10s"),
        Example(
            "Deployment",
            [
                "metadata": ["name": "a", "creationTimestamp": "1970-01-12T13:46:30Z"], "spec": ["replicas": 2],
                "status": ["readyReplicas": 1, "updatedReplicas": 2, "availableReplicas": 1],
            ], "a", "1/2", 2, 1, "10s"),
        Example(
            "Job",
            [
                "metadata": ["name": "a", "creationTimestamp": "1970-01-12T13:46:30Z"], "spec": ["completions": 1],
                "status": [
                    "succeeded": 1, "startTime": "1970-01-12T13:46:30Z", "completionTime": "1970-01-12T13:46:36Z",
                    "conditions": [["type": "Complete", "status": "True"]],
                ],
            ], "a", "Complete", "1/1", "6s", "10s"),
        Example(
            "Service",
            [
                "metadata": ["name": "a", "creationTimestamp": "1970-01-12T13:46:30Z"],
                "spec": [
                    "type": "NodePort", "clusterIP": "10.0.0.9",
                    "ports": [["port": 80, "nodePort": 30000, "protocol": "TCP"], ["port": 53, "protocol": "UDP"]],
                ],
            ], "a", "NodePort", "10.0.0.9", "<none>", "80:30000/TCP,53/UDP", "10s"),
        Example(
            "Event",
            [
                "metadata": ["name": "e"], "type": "Normal", "reason": "Scheduled",
                "eventTime": "1970-01-12T13:46:30.5Z",
                "regarding": ["kind": "Pod", "name": "a"], "note": "assigned",
            ], "9s", "Normal", "Scheduled", "pod/a", "", "", "assigned"),
        Example(
            "Secret", ["metadata": ["name": "a"], "type": "Opaque", "data": ["k": ""]], "a", "Opaque", 1, "<unknown>"),
        Example(
            "Node",
            [
                "metadata": ["name": "n", "labels": ["node-role.kubernetes.io/worker": ""]],
                "status": ["conditions": [["type": "Ready", "status": "True"]], "nodeInfo": ["kubeletVersion": "v1"]],
            ], "n", "Ready", "worker", "<unknown>", "v1"),
    ]

    @Test(arguments: examples) func `A built-in kind has kubectl's cells`(_ example: Example) throws {
        let printer = TablePrinter(try BuiltinKindsTests.definition(example.kind))
        let table = printer.table(of: [example.object], now: Self.now)
        let cells = table["rows"]?[0]?["cells"]?.array ?? []
        #expect(Array(cells.prefix(example.cells.count)) == example.cells)
        #expect(cells.count == table["columnDefinitions"]?.array?.count)
    }

    @Test func `Every built-in kind has as many cells as columns, whatever the object`() {
        for definition in BuiltinKinds.all {
            let table = TablePrinter(definition).table(of: [[:]], now: Self.now)
            #expect(
                table["rows"]?[0]?["cells"]?.array?.count == table["columnDefinitions"]?.array?.count,
                "\(definition.type)")
        }
    }

    @Test func `A custom resource is printed by its columns`() throws {
        var definition = ResourceDefinition(
            type: ResourceType(group: "assay.dev", version: "v1", plural: "models", kind: "Model"), schema: .any,
            isBuiltIn: false)
        definition.columns = [
            PrinterColumn(name: "Ready", jsonPath: ".status.conditions[?(@.type==\"Ready\")].status"),
            PrinterColumn(name: "Replicas", type: "integer", priority: 1, jsonPath: ".status.replicas"),
            PrinterColumn(name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp"),
        ]
        let object: JSONValue = [
            "metadata": ["name": "wine", "creationTimestamp": "1970-01-12T13:43:10Z"],
            "status": ["conditions": [["type": "Other", "status": "False"], ["type": "Ready", "status": "True"]]],
        ]
        let table = TablePrinter(definition).table(of: [object], include: .none, now: Self.now)
        #expect(table["rows"] == [["cells": ["wine", "True", .null, "3m30s"]]])
        #expect(
            table["columnDefinitions"]?.array?.map { $0["priority"] ?? -1 } == [0, 0, 1, 0])
        #expect(TablePrinter(definition).table(of: [], withHeaders: false, now: Self.now)["columnDefinitions"] == [])
    }

    @Test(arguments: [
        (".a.b", ["1"]), ("{.a.b}", ["1"]), (".list[0].n", ["\"x\""]), (".list[-1].n", ["\"y\""]),
        (".list[*].n", ["\"x\"", "\"y\""]), (".list[?(@.n=='y')].v", ["2"]), (".list[?(@.n!=\"y\")].n", ["\"x\""]),
        (".a['d.e']", ["3"]), (".a.d\\.e", ["3"]), (".none", []), (".list[?(@.v==2)].n", ["\"y\""]),
    ])
    func `A column's path finds its values`(_ path: String, _ found: [String]) throws {
        let object: JSONValue = ["a": ["b": 1, "d.e": 3], "list": [["n": "x"], ["n": "y", "v": 2]]]
        #expect(try #require(ColumnPath(path)).find(in: object).map { $0.serialized() } == found)
    }

    @Test(arguments: ["a.b", ".a[", ".a[?(x)]", ".a[?(@.b==)]", "..a"]) func `Another syntax is refused`(_ path: String)
    {
        #expect(ColumnPath(path) == nil)
    }
}
