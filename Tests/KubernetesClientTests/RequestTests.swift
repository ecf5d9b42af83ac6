import Concurrency
import HTTPTransport
import JSON
import KubernetesModel
import Testing

@testable import KubernetesClient

private let wine = ObjectKey(namespace: "ml", name: "wine")

/// A call and the request that it must become.
private struct Expected: Sendable, CustomStringConvertible {
    var call: @Sendable (KubernetesClient) async throws -> Void
    var method: HTTPRequest.Method
    var target: String
    var contentType: String?
    var body: String = ""
    var description: String { "\(method.rawValue) \(target)" }
}

private let job: JSONValue = ["metadata": ["name": "wine", "namespace": "ml"]]
private let typedJob =
    #"{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"wine","namespace":"ml"}}"#

private let calls: [Expected] = [
    Expected(
        call: { _ = try await $0.get(.jobs, wine) }, method: .get,
        target: "/apis/batch/v1/namespaces/ml/jobs/wine"),
    Expected(
        call: { _ = try await $0.get(.nodes, ObjectKey(namespace: nil, name: "n:1")) }, method: .get,
        target: "/api/v1/nodes/n:1"),
    Expected(
        call: { _ = try await $0.get(.deployments, wine, subresource: "scale") }, method: .get,
        target: "/apis/apps/v1/namespaces/ml/deployments/wine/scale"),
    Expected(
        call: { _ = try await $0.create(.jobs, job, fieldManager: "assay") }, method: .post,
        target: "/apis/batch/v1/namespaces/ml/jobs?fieldManager=assay", contentType: "application/json",
        body: typedJob),
    Expected(
        call: {
            _ = try await $0.create(
                .jobs, job, fieldManager: "a b&c", options: WriteOptions(dryRun: true, fieldValidation: .strict))
        }, method: .post,
        target: "/apis/batch/v1/namespaces/ml/jobs?fieldManager=a%20b%26c&dryRun=All&fieldValidation=Strict",
        contentType: "application/json", body: typedJob),
    Expected(
        call: {
            _ = try await $0.create(
                .pods, ["kind": "Binding", "metadata": ["name": "wine", "namespace": "ml"]], subresource: "binding",
                fieldManager: "scheduler")
        }, method: .post, target: "/api/v1/namespaces/ml/pods/wine/binding?fieldManager=scheduler",
        contentType: "application/json", body: #"{"kind":"Binding","metadata":{"name":"wine","namespace":"ml"}}"#),
    Expected(
        call: { _ = try await $0.replace(.jobs, job, subresource: "status", fieldManager: "assay") }, method: .put,
        target: "/apis/batch/v1/namespaces/ml/jobs/wine/status?fieldManager=assay", contentType: "application/json",
        body: typedJob),
    Expected(
        call: { _ = try await $0.apply(.jobs, wine, ["spec": ["suspend": true]], fieldManager: "assay") },
        method: .patch,
        target: "/apis/batch/v1/namespaces/ml/jobs/wine?fieldManager=assay&force=true",
        contentType: "application/apply-patch+yaml",
        body: typedJob.dropLast() + #","spec":{"suspend":true}}"#),
    Expected(
        call: {
            _ = try await $0.apply(.jobs, wine, job, fieldManager: "assay", force: false, subresource: "status")
        }, method: .patch,
        target: "/apis/batch/v1/namespaces/ml/jobs/wine/status?fieldManager=assay&force=false",
        contentType: "application/apply-patch+yaml", body: typedJob),
    Expected(
        call: {
            _ = try await $0.mergePatch(
                .deployments, wine, ["spec": ["replicas": 1]], subresource: "scale", fieldManager: "assay-scaler")
        }, method: .patch,
        target: "/apis/apps/v1/namespaces/ml/deployments/wine/scale?fieldManager=assay-scaler",
        contentType: "application/merge-patch+json", body: #"{"spec":{"replicas":1}}"#),
    Expected(
        call: {
            try await $0.delete(
                .jobs, wine,
                DeleteOptions(uid: "u-1", resourceVersion: "7", propagation: .foreground, gracePeriodSeconds: 0))
        }, method: .delete, target: "/apis/batch/v1/namespaces/ml/jobs/wine", contentType: "application/json",
        body:
            #"{"apiVersion":"v1","gracePeriodSeconds":0,"kind":"DeleteOptions","preconditions":{"resourceVersion":"7","uid":"u-1"},"propagationPolicy":"Foreground"}"#
    ),
    Expected(
        call: { try await $0.delete(.jobs, wine, DeleteOptions(dryRun: true)) }, method: .delete,
        target: "/apis/batch/v1/namespaces/ml/jobs/wine", contentType: "application/json",
        body: #"{"apiVersion":"v1","dryRun":["All"],"kind":"DeleteOptions"}"#),
]

@Suite struct RequestTests {
    @Test(arguments: calls.indices)
    func aCallBecomesItsRequest(_ index: Int) async throws {
        let expected = calls[index]
        let transport = ScriptedTransport([.json(["kind": "Job"])])
        try await expected.call(KubernetesClient(transport: transport, credentials: .token("t0"), userAgent: "test/1"))
        let request = try #require(transport.requests.first)
        #expect(request.method == expected.method)
        #expect(request.target == expected.target)
        #expect(request.headers["Content-Type"] == expected.contentType)
        #expect(request.headers["Accept"] == "application/json")
        #expect(request.headers["User-Agent"] == "test/1")
        #expect(request.headers["Authorization"] == "Bearer t0")
        #expect(request.text == expected.body)
    }

    @Test(arguments: ["", ".", "..", "a/b", "a%2fb", "../../secrets/x", String(repeating: "x", count: 254)])
    func namesThatLeadElsewhereAreRefusedUnsent(_ name: String) async {
        let transport = ScriptedTransport([])
        let client = KubernetesClient(transport: transport)
        for key in [ObjectKey(namespace: "ml", name: name), ObjectKey(namespace: name, name: "wine")] {
            let error = await #expect(throws: KubernetesError.self) { try await client.get(.jobs, key) }
            guard case .configuration? = error?.code else {
                Issue.record("\(String(describing: error))")
                continue
            }
            #expect(error?.outcomeIsUnknown == false)
        }
        #expect(transport.requests.isEmpty)
    }

    @Test(arguments: calls)
    private func whereNoneMayWriteAWriteIsNotSentAndAReadIs(_ expected: Expected) async throws {
        let transport = ScriptedTransport([.json(["items": [], "metadata": ["resourceVersion": "1"]])])
        let client = KubernetesClient(transport: transport).writing(onlyWhile: { false })
        if expected.method == .get {
            try await expected.call(client)
            return #expect(transport.requests.count == 1)
        }
        let error = await #expect(throws: KubernetesError.self) { try await expected.call(client) }
        #expect(error?.isWithheld == true && error?.outcomeIsUnknown == false)
        #expect(transport.requests.isEmpty)
    }

    @Test func whetherItMayWriteIsAskedBeforeEachTry() async throws {
        let transport = ScriptedTransport([.failure(.connect), .json([:])])
        let mayWrite = Locked(3)
        let client = KubernetesClient(transport: transport, time: InstantTime()).writing(onlyWhile: {
            mayWrite.withLock { left in
                left -= 2
                return left > 0
            }
        })
        let error = await #expect(throws: KubernetesError.self) {
            try await client.create(.jobs, job, fieldManager: "assay")
        }
        #expect(error?.isWithheld == true)
        #expect(transport.requests.count == 1, "the second try is not sent")
    }

    @Test func aQuestionMarkInANameStaysAName() async throws {
        let transport = ScriptedTransport([.json([:])])
        _ = try await KubernetesClient(transport: transport).get(.jobs, ObjectKey(namespace: "ml", name: "a?b#c d"))
        #expect(transport.targets == ["/apis/batch/v1/namespaces/ml/jobs/a%3Fb%23c%20d"])
    }

    @Test func anObjectOfANamespacedKindNeedsANamespace() async {
        let client = KubernetesClient(transport: ScriptedTransport([]))
        let error = await #expect(throws: KubernetesError.self) {
            try await client.create(.jobs, ["metadata": ["name": "wine"]], fieldManager: "a")
        }
        #expect(error?.description.contains("a Job lives in a namespace") == true)
        await #expect(throws: KubernetesError.self) {
            try await client.get(.jobs, ObjectKey(namespace: nil, name: "wine"))
        }
    }

    @Test func selectorsAreEncoded() async throws {
        let transport = ScriptedTransport([
            .json(["metadata": ["resourceVersion": "5"], "items": .null]),
            .json(["metadata": ["resourceVersion": "5"], "items": []]),
        ])
        let client = KubernetesClient(transport: transport)
        let options = ListOptions(
            labelSelector: "app in (a, b),!c=ü", fieldSelector: "metadata.name=x", limit: 10, resourceVersion: "0",
            resourceVersionMatch: "NotOlderThan")
        #expect(try await client.list(.jobs, namespace: "ml", options).items.isEmpty)
        _ = try await client.list(.jobs)
        #expect(
            transport.targets == [
                "/apis/batch/v1/namespaces/ml/jobs?labelSelector=app%20in%20%28a%2C%20b%29%2C%21c%3D%C3%BC"
                    + "&fieldSelector=metadata.name%3Dx&limit=10&resourceVersion=0&resourceVersionMatch=NotOlderThan",
                "/apis/batch/v1/jobs",
            ])
    }

    @Test func theServersVersionIsRead() async throws {
        let transport = ScriptedTransport([
            .json(["major": "1", "minor": "27+", "gitVersion": "v1.27.3-gke.100"]), .json(["major": "one"]),
        ])
        let client = KubernetesClient(transport: transport)
        let version = try await client.serverVersion()
        #expect((version.major, version.minor) == (1, 27))
        #expect(version.description == "v1.27.3-gke.100")
        await #expect(throws: KubernetesError.self) { try await client.serverVersion() }
    }

    @Test func discoveryTellsWhetherTheServerHasAKind() async throws {
        let transport = ScriptedTransport([
            .json(["resources": [["name": "endpointslices"], ["name": "endpointslices/status"]]]),
            .json(["resources": [["name": "others"]]]), .status(404, "NotFound", message: "404 page not found"),
            .status(403, "Forbidden", message: "no"),
        ])
        let client = KubernetesClient(transport: transport)
        #expect(try await client.serves(.endpointSlices))
        #expect(try await !client.serves(.endpointSlices))
        #expect(try await !client.serves(.pods))
        await #expect(throws: KubernetesError.self) { try await client.serves(.jobs) }
        #expect(
            transport.targets == [
                "/apis/discovery.k8s.io/v1", "/apis/discovery.k8s.io/v1", "/api/v1", "/apis/batch/v1",
            ])
    }

    @Test func aRawRequestReturnsItsBodyOrTheStatus() async throws {
        let transport = ScriptedTransport([
            .response(200, chunks: ["line 1\n", "line 2\n"]), .status(403, "Forbidden", message: "no"),
        ])
        let client = KubernetesClient(transport: transport)
        let request = HTTPRequest(
            .get, "/api/v1/namespaces/ml/pods/a/log?follow=true", headers: ["Accept": "text/plain"])
        let response = try await client.send(request)
        #expect(String(decoding: try await response.body.collect(), as: UTF8.self) == "line 1\nline 2\n")
        #expect(transport.requests.first?.headers["Accept"] == "text/plain")
        let error = await #expect(throws: KubernetesError.self) { try await client.send(request) }
        #expect(error?.isForbidden == true)
        #expect(error?.operation == "GET /api/v1/namespaces/ml/pods/a/log")
    }
}
