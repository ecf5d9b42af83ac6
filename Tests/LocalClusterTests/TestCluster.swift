import Concurrency
import CurlTransport
import Files
import HTTPTransport
import JSON
import KubernetesClient
import KubernetesModel
import Logging
import Testing

@testable import LocalCluster

#if canImport(Glibc)
import Glibc
#else
import Musl
#endif

/// A cluster of its own for one test, with files below a new temporary directory.
struct TestCluster: Sendable {
    let handle: ClusterHandle
    let client: KubernetesClient

    static func run<Result: Sendable>(
        configure: (inout LocalCluster.Options) -> Void = { _ in },
        _ body: @escaping @Sendable (TestCluster) async throws -> Result
    ) async throws -> Result {
        var template = Array("/tmp/assay-cluster-XXXXXX".utf8CString)
        let directory = template.withUnsafeMutableBufferPointer { buffer in
            buffer.baseAddress.flatMap { mkdtemp($0) }.map { String(cString: $0) }
        }
        let path = try #require(directory)
        defer {
            do { try FileSystem.remove(path) } catch { Issue.record("\(path) is left behind: \(error)") }
        }
        var options = LocalCluster.Options(dataDirectory: path)
        options.jobs = JobPlanner(backoffBase: .milliseconds(50))
        configure(&options)
        var logger = Logger(label: "test")
        logger.logLevel = .error
        return try await LocalCluster.with(options, logger: logger) { handle in
            let configuration = try handle.adminConfiguration()
            let transport = try CurlTransport(configuration.transport)
            defer { transport.shutdown() }
            return try await body(
                TestCluster(
                    handle: handle,
                    client: KubernetesClient(transport: transport, credentials: configuration.credentials)))
        }
    }

    func create(_ type: ResourceType, _ object: JSONValue) async throws -> JSONValue {
        try await client.create(type, object, fieldManager: "test")
    }

    /// Waits until the object is as `isReached` says; nil: it is gone.
    @discardableResult
    func wait(
        _ type: ResourceType, _ name: String, in namespace: String? = "default", for what: String,
        _ isReached: @Sendable (JSONValue?) -> Bool
    ) async throws -> JSONValue? {
        var last: JSONValue?
        for _ in 0..<400 {
            do throws(KubernetesError) {
                last = try await client.get(type, ObjectKey(namespace: namespace, name: name))
            } catch {
                guard error.isNotFound else { throw error }
                last = nil
            }
            if isReached(last) { return last }
            try await Task.sleep(for: .milliseconds(25))
        }
        Issue.record("\(type) \(name) never came to be \(what): \(last?.serialized() ?? "absent")")
        return last
    }

    /// A node that runs nothing: tests write the status of its pods.
    func addNode(_ name: String = "fake", cpu: String = "4") async throws {
        let node: JSONValue = [
            "metadata": ["name": .string(name)],
            "status": [
                "allocatable": ["cpu": .string(cpu), "memory": "8Gi", "pods": "20"],
                "capacity": ["cpu": .string(cpu), "memory": "8Gi", "pods": "20"],
                "conditions": [["type": "Ready", "status": "True", "reason": "KubeletReady", "message": ""]],
            ],
        ]
        let made = try await create(.nodes, node)
        var changed = made
        changed["status"] = node["status"]
        _ = try await client.replace(.nodes, changed, subresource: "status", fieldManager: "test")
    }

    /// Writes a pod's status, as a node would.
    func setPod(_ pod: JSONValue, _ status: JSONValue) async throws {
        _ = try await client.mergePatch(
            .pods, pod.key, ["status": status], subresource: "status", fieldManager: "test")
    }

    func pods(_ selector: String) async throws -> [JSONValue] {
        try await client.list(.pods, namespace: "default", ListOptions(labelSelector: selector)).items
    }

    /// The pods of a selector once there are `count`.
    func waitForPods(_ selector: String, _ count: Int, _ isWanted: @Sendable (JSONValue) -> Bool = { _ in true })
        async throws
        -> [JSONValue]
    {
        var last: [JSONValue] = []
        for _ in 0..<400 {
            last = try await pods(selector)
            if last.filter(isWanted).count == count { return last.filter(isWanted) }
            try await Task.sleep(for: .milliseconds(25))
        }
        Issue.record("\(selector) never had \(count) pods: \(last.map(\.name))")
        return last
    }
}
