import AssayCore
import AssayOperator
import Concurrency
import CurlTransport
import FoundationEssentials
import HTTPTransport
import JSON
import KubernetesClient
import KubernetesModel
import LocalCluster
import Logging
import Testing
import YAML

/// A cluster with a node of its own, the resources installed, and a person who uses it.
struct StoryWorld: Sendable {
    static let namespace = "ml"

    let cluster: ClusterHandle
    /// The administrator.
    let client: KubernetesClient
    let logger: Logger

    /// Runs a story in a new world, and checks every status that was written during it.
    static func run<Result: Sendable>(
        images: [String: ImageTree] = ImageTree.standard,
        _ story: @escaping @Sendable (StoryWorld) async throws -> Result
    ) async throws -> Result {
        let program = try #require(ProgramUnderTest.assay, "build the product `assay` first: swift build")
        let directory = try TemporaryDirectory()
        defer { directory.remove() }
        var logger = Logger(label: "story")
        logger.logLevel = .error
        var options = LocalCluster.Options(dataDirectory: "\(directory.path)/cluster")
        options.jobs = JobPlanner(backoffBase: .milliseconds(100))
        var node = NodeOptions(name: "local", dataDirectory: "\(directory.path)/node", executable: program)
        node.images = try images.mapValues { try $0.write(below: directory.path) }
        let result = Locked<Result?>(nil)
        try await LocalCluster.run(options, node: node, logger: logger) { [logger] cluster in
            let configuration = try cluster.adminConfiguration()
            let transport = try CurlTransport(configuration.transport)
            defer { transport.shutdown() }
            let client = KubernetesClient(transport: transport, credentials: configuration.credentials)
            let value = try await StoryWorld(cluster: cluster, client: client, logger: logger).tell(story)
            result.withLock { $0 = value }
            cluster.stop()
        }
        return try #require(result.withLock { $0 })
    }

    private func tell<Result: Sendable>(
        _ story: @escaping @Sendable (StoryWorld) async throws -> Result
    ) async throws -> Result {
        let journal = StatusJournal()
        try await installResources()
        return try await withThrowingTaskGroup(of: Result?.self) { group in
            group.addTask {
                await journal.run(client)
                return nil
            }
            group.addTask { try await story(self) }
            defer { group.cancelAll() }
            while let result = try await group.next() {
                if let result {
                    #expect(journal.breaches == [])
                    #expect(journal.count > 0, "no status was written at all")
                    return result
                }
            }
            throw CancellationError()
        }
    }

    private func installResources() async throws {
        for file in ["assay.dev_trainingjobs.yaml", "assay.dev_mlmodels.yaml"] {
            let text = try String(contentsOfFile: "\(ProgramUnderTest.repository)/crds/\(file)", encoding: .utf8)
            for definition in try JSONValue.documents(yaml: text) {
                _ = try await client.create(.customResourceDefinitions, definition, fieldManager: "story")
            }
        }
        _ = try await client.create(
            .namespaces, ["metadata": ["name": .string(Self.namespace)]], fieldManager: "story")
    }

    // MARK: The operator

    /// Runs the operator in this process while `body` runs.
    func withOperator<Result: Sendable>(
        _ transportOf: (CurlTransport) -> any HTTPTransport = { $0 },
        _ body: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        let configuration = cluster.operatorConfiguration
        let transport = try CurlTransport(configuration.transport)
        defer { transport.shutdown() }
        let daemon = AssayOperator(
            configuration: OperatorConfiguration(), transport: transportOf(transport),
            credentials: configuration.credentials, host: cluster.url, logger: logger)
        return try await withThrowingTaskGroup(of: Result?.self) { group in
            group.addTask {
                try await daemon.run()
                return nil
            }
            group.addTask { try await body() }
            defer { group.cancelAll() }
            while let result = try await group.next() {
                if let result { return result }
            }
            throw CancellationError()
        }
    }

    // MARK: What a person does

    static func key(_ name: String) -> ObjectKey { ObjectKey(namespace: namespace, name: name) }

    /// Applies documents as a GitOps controller does, into the story's namespace.
    func apply(yaml: String) async throws {
        for var document in try JSONValue.documents(yaml: yaml) {
            document["metadata", "namespace"] = .string(Self.namespace)
            let type = try #require(Self.type(of: document))
            let name = try #require(document["metadata", "name"]?.string)
            _ = try await client.apply(type, Self.key(name), document, fieldManager: "gitops")
        }
    }

    private static func type(of document: JSONValue) -> ResourceType? {
        let known: [ResourceType] = [.trainingJobs, .mlModels, .persistentVolumeClaims, .services, .resourceQuotas]
        return known.first {
            $0.kind == document["kind"]?.string && $0.apiVersion == document["apiVersion"]?.string
        }
    }

    func model(_ name: String = "wine") async throws -> JSONValue {
        try await client.get(.mlModels, Self.key(name))
    }

    func count(_ type: ResourceType) async throws -> Int {
        try await client.listAll(type, namespace: Self.namespace).items.count
    }

    /// Returns the object once it is as `isReached` says; records an issue, and throws, when it never comes to be.
    @discardableResult
    func wait(
        _ what: String, _ type: ResourceType = .mlModels, named name: String = "wine", seconds: Int = 60,
        _ isReached: @escaping @Sendable (JSONValue) -> Bool
    ) async throws -> JSONValue {
        let seen = Locked<JSONValue?>(nil)
        let found: JSONValue? = try await withThrowingTaskGroup(of: JSONValue?.self) { group in
            group.addTask { try await watch(type, name, seen, isReached) }
            group.addTask {
                try await Task.sleep(for: .seconds(seconds))
                return nil
            }
            defer { group.cancelAll() }
            return try await group.next() ?? nil
        }
        if let found { return found }
        let last = seen.withLock { $0 }
        Issue.record("\(type) \(name) never came to be \(what): \(last?["status"]?.serialized() ?? "absent")")
        throw StoryFailure()
    }

    /// Asks again and again, for a minute, until the answer is yes.
    func eventually(_ what: String, _ isTrue: () async throws -> Bool) async throws {
        for _ in 0..<600 {
            if try await isTrue() { return }
            try await Task.sleep(for: .milliseconds(100))
        }
        Issue.record("there never came to be \(what)")
    }

    private func watch(
        _ type: ResourceType, _ name: String, _ seen: Locked<JSONValue?>, _ isReached: (JSONValue) -> Bool
    ) async throws -> JSONValue {
        let field = "metadata.name=\(name)"
        while true {
            let list = try await client.list(type, namespace: Self.namespace, ListOptions(fieldSelector: field))
            for object in list.items {
                seen.withLock { $0 = object }
                if isReached(object) { return object }
            }
            let stream = try await client.watch(
                type, namespace: Self.namespace,
                WatchOptions(resourceVersion: list.resourceVersion, fieldSelector: field, timeoutSeconds: 60))
            while let events = try await stream.next() {
                for case .added(let object) in events.map(\.asAddition) {
                    seen.withLock { $0 = object }
                    if isReached(object) { return object }
                }
            }
        }
    }

    /// Asks the model's Service, from this machine, as a caller in the cluster would.
    func ask(_ name: String = "wine", path: String = "/") async throws -> (status: Int, body: String) {
        let service = try await client.get(.services, Self.key(name))
        let address = try #require(service["spec", "clusterIP"]?.string)
        let port = try #require(service["spec"]?["ports"]?[0]?["port"]?.int)
        let transport = try CurlTransport(TransportConfiguration(server: "http://\(address):\(port)"))
        defer { transport.shutdown() }
        // The node learns of a new Service when everybody else does, so the first connections may be refused.
        for attempt in 1... {
            do throws(HTTPTransportError) {
                let response = try await transport.send(HTTPRequest(.get, path, delivery: .unary(timeout: .seconds(5))))
                return (response.status, String(decoding: try await response.body.collect(), as: UTF8.self))
            } catch {
                guard attempt < 100, error.requestWasNotSent || error.code == .broken else { throw error }
            }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw StoryFailure()
    }
}

struct StoryFailure: Error {}

extension WatchEvent {
    /// Additions and changes are the same to who waits for a state.
    fileprivate var asAddition: WatchEvent {
        if case .modified(let object) = self { .added(object) } else { self }
    }
}

extension JSONValue {
    var phase: String? { self["status", "phase"]?.string }
    var revision: String? { self["status", "revision"]?.string }
    var generation: Int64? { self["metadata", "generation"]?.integer }

    func condition(_ type: String) -> Condition? {
        (self["status", "conditions"]?.array ?? []).lazy
            .first { $0["type"]?.string == type }
            .flatMap { try? Condition(json: JSONCursor($0)) }
    }

    func isTrue(_ type: String) -> Bool { condition(type)?.status == .true }

    /// The status tells of the newest spec.
    var isObserved: Bool { self["status", "observedGeneration"]?.integer == generation }
}

/// A directory that is gone afterwards.
struct TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        path = "/tmp/assay-story-\(UInt64.random(in: .min ... .max))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    func remove() {
        do {
            try FileManager.default.removeItem(atPath: path)
        } catch {
            Issue.record("\(path) cannot be removed: \(error)")
        }
    }
}

/// An image: executable files by path.
struct ImageTree: Sendable {
    var files: [String: String]

    func write(below directory: String) throws -> String {
        let root = "\(directory)/image-\(UInt32.random(in: .min ... .max))"
        for (path, text) in files {
            let file = URL(filePath: "\(root)/\(path)")
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: file)
            try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: file.path)
        }
        return root
    }

    /// A training that reports what its parameters say, and a server that answers with its run.
    static let standard: [String: ImageTree] = [
        "registry.local/toy:1": ImageTree(files: [
            "bin/train": """
            #!/bin/sh
            # Reports the metric it is told, then fails if it is told to.
            printf '%s' "${ASSAY_PARAM_METRICS:-{\\"accuracy\\": ${ASSAY_PARAM_ACCURACY:-0.97}\\}}" > "$ASSAY_METRICS_FILE"
            exit "${ASSAY_PARAM_EXITCODE:-0}"
            """,
            "bin/serve": """
            #!/usr/bin/env python3
            import http.server, os

            class Handler(http.server.BaseHTTPRequestHandler):
                def do_GET(self):
                    body = os.environ["ASSAY_RUN"].encode()
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

                def log_message(self, *arguments):
                    pass

            http.server.ThreadingHTTPServer(("", 8080), Handler).serve_forever()
            """,
        ])
    ]
}
