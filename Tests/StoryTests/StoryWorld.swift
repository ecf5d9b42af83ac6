import AssayCore
import AssayOperator
import Concurrency
import CurlTransport
import HTTPTransport
import JSON
import KubernetesClient
import KubernetesModel
import Logging
import TestCluster
import Testing
import YAML

/// A cluster with a node, the resources installed, a namespace of its own, and a person who uses it.
struct StoryWorld: Sendable {
    let cluster: TestCluster
    let namespace: String
    let logger: Logger

    /// The administrator.
    var client: KubernetesClient { cluster.client }

    /// Runs a story in a new world, and checks every status that was written during it.
    static func run<Result: Sendable>(
        on backend: Backend, _ story: @escaping @Sendable (StoryWorld) async throws -> Result
    ) async throws -> Result {
        try await TestCluster.run(on: backend) { cluster in
            // On a cluster of its own a story has a fine name; on a shared one the name tells whose it is.
            let suffix = backend == .local ? "" : "-\(UInt32.random(in: .min ... .max))"
            return try await run(on: cluster, namespace: "ml" + suffix, story)
        }
    }

    /// Runs one of several stories of a cluster.
    static func run<Result: Sendable>(
        on cluster: TestCluster, namespace: String, _ story: @escaping @Sendable (StoryWorld) async throws -> Result
    ) async throws -> Result {
        var logger = Logger(label: "story")
        logger.logLevel = .error
        let world = StoryWorld(cluster: cluster, namespace: namespace, logger: logger)
        try await world.makeNamespace()
        do {
            let result = try await world.tell(story)
            try await world.removeNamespace()
            return result
        } catch let failure {
            do {
                try await world.removeNamespace()
            } catch {
                // What the story died of says more.
            }
            throw failure
        }
    }

    private func tell<Result: Sendable>(
        _ story: @escaping @Sendable (StoryWorld) async throws -> Result
    ) async throws -> Result {
        let journal = StatusJournal()
        return try await withThrowingTaskGroup(of: Result?.self) { group in
            group.addTask {
                await journal.run(client, namespace)
                return nil
            }
            group.addTask { try await story(self) }
            defer { group.cancelAll() }
            while let result = try await group.next() {
                if let result {
                    #expect(journal.breaches == [])
                    #expect(journal.count > 0, "no status was written at all")
                    try await expectEnoughRights()
                    return result
                }
            }
            throw CancellationError()
        }
    }

    /// What the operator was refused in an ordinary story, `manifests/cluster/rbac.yaml` lacks.
    private func expectEnoughRights() async throws {
        guard cluster.countsRequests else { return }
        let refused = try await operatorRequests().keys.filter { $0.code == 403 }
        #expect(refused.map { "\($0.verb) \($0.resource)" }.sorted() == [])
    }

    /// Pods need the namespace's service account, which a controller makes.
    private func makeNamespace() async throws {
        _ = try await client.create(.namespaces, ["metadata": ["name": .string(namespace)]], fieldManager: "story")
        try await cluster.eventually("\(namespace) has its service account") {
            do throws(KubernetesError) {
                _ = try await client.get(.serviceAccounts, ObjectKey(namespace: namespace, name: "default"))
                return true
            } catch {
                guard error.isNotFound else { throw error }
                return false
            }
        }
    }

    /// Nobody waits for its end: what is left in it concerns no other story.
    private func removeNamespace() async throws {
        if cluster.local == nil { try await client.delete(.namespaces, ObjectKey(namespace: nil, name: namespace)) }
    }

    // MARK: The operator

    /// Runs the operator in this process while `body` runs.
    /// - Parameters:
    ///   - image: of the program, where pods are to run it.
    ///   - push: where trainings push to.
    ///   - onTakingPushes: told of the port, once pushes are taken.
    func withOperator<Result: Sendable>(
        image: String? = nil, push: OperatorConfiguration.Push? = nil,
        onTakingPushes: @escaping @Sendable (Int) -> Void = { _ in },
        _ transportOf: (CurlTransport) -> any HTTPTransport = { $0 },
        _ body: @escaping @Sendable () async throws -> Result
    ) async throws -> Result {
        let configuration = try await cluster.serviceAccount(TestCluster.operatorAccount)
        let transport = try CurlTransport(configuration.transport)
        defer { transport.shutdown() }
        let daemon = AssayOperator(
            configuration: OperatorConfiguration(image: image, push: push), cluster: configuration,
            transport: transportOf(transport), logger: logger, onTakingPushes: onTakingPushes)
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

    /// The operator's requests about the story's namespace.
    func operatorRequests() async throws -> [RequestRecord: Int] {
        let account = TestCluster.operatorAccount
        let user = "system:serviceaccount:\(account.namespace ?? ""):\(account.name)"
        return try await cluster.requests().filter { $0.key.user == user && $0.key.namespace == namespace }
    }

    // MARK: What a person does

    func key(_ name: String) -> ObjectKey { ObjectKey(namespace: namespace, name: name) }

    /// Applies documents as a GitOps controller does, into the story's namespace.
    func apply(yaml: String) async throws {
        for var document in try JSONValue.documents(yaml: yaml) {
            document["metadata", "namespace"] = .string(namespace)
            let type = try #require(Self.type(of: document))
            let name = try #require(document["metadata", "name"]?.string)
            _ = try await client.apply(type, key(name), document, fieldManager: "gitops")
        }
    }

    /// Creates them, as `kubectl apply` does what is not there yet: the server's words about mistakes are others then.
    func create(yaml: String) async throws {
        for var document in try JSONValue.documents(yaml: yaml) {
            document["metadata", "namespace"] = .string(namespace)
            _ = try await client.create(try #require(Self.type(of: document)), document, fieldManager: "kubectl")
        }
    }

    /// A volume for a claim of the story's namespace, on a directory of this machine.
    func makeVolume(forClaim claim: String, at path: String) async throws {
        let volume: JSONValue = [
            "metadata": ["name": .string(namespace)],
            "spec": [
                "capacity": ["storage": "1Gi"], "accessModes": ["ReadWriteOnce"], "hostPath": ["path": .string(path)],
                "claimRef": [
                    "apiVersion": "v1", "kind": "PersistentVolumeClaim", "name": .string(claim),
                    "namespace": .string(namespace),
                ],
            ],
        ]
        _ = try await client.create(.persistentVolumes, volume, fieldManager: "story")
    }

    /// The claim `models`, on a directory of this machine, and the namespace's store in its directory `toy`.
    func makeStore(at path: String) async throws {
        try await makeVolume(forClaim: "models", at: path)
        try await apply(
            yaml: """
                apiVersion: v1
                kind: PersistentVolumeClaim
                metadata: {name: models}
                spec:
                  accessModes: [ReadWriteOnce]
                  volumeName: \(namespace)
                  resources: {requests: {storage: 1Gi}}
                ---
                apiVersion: v1
                kind: ConfigMap
                metadata: {name: assay-store}
                data: {uri: pvc://models/toy}
                """)
    }

    private static func type(of document: JSONValue) -> ResourceType? {
        let known: [ResourceType] = [
            .trainingJobs, .mlModels, .persistentVolumeClaims, .services, .resourceQuotas, .configMaps,
        ]
        return known.first {
            $0.kind == document["kind"]?.string && $0.apiVersion == document["apiVersion"]?.string
        }
    }

    func model(_ name: String = "wine") async throws -> JSONValue {
        try await client.get(.mlModels, key(name))
    }

    func count(_ type: ResourceType) async throws -> Int {
        try await client.listAll(type, namespace: namespace).items.count
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
        Issue.record(
            """
            \(type) \(name) never came to be \(what): \(last?["status"]?.serialized() ?? "absent")
            \(await aftermath())
            """)
        throw StoryFailure()
    }

    /// Where pods find what runs on their node.
    func nodeAddress() async throws -> String {
        let nodes = try await client.listAll(.nodes, namespace: nil).items
        let addresses = nodes.first?["status", "addresses"]?.array ?? []
        return try #require(addresses.first { $0["type"] == "InternalIP" }?["address"]?.string)
    }

    /// Asks again and again, for a minute, until the answer is yes.
    func eventually(_ what: String, _ isTrue: () async throws -> Bool) async throws {
        try await cluster.eventually(what, isTrue)
    }

    private func watch(
        _ type: ResourceType, _ name: String, _ seen: Locked<JSONValue?>, _ isReached: (JSONValue) -> Bool
    ) async throws -> JSONValue {
        let field = "metadata.name=\(name)"
        while true {
            let list = try await client.list(type, namespace: namespace, ListOptions(fieldSelector: field))
            for object in list.items {
                seen.withLock { $0 = object }
                if isReached(object) { return object }
            }
            let stream = try await client.watch(
                type, namespace: namespace,
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
        let service = try await client.get(.services, key(name))
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
