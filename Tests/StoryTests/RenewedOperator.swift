import AssayCore
import Concurrency
import JSON
import KubernetesClient
import KubernetesModel
import Subprocess
import TestCluster
import Testing
import YAML

/// The operator's program, started once with files that are renewed under it, and a model of which it must answer every
/// change.
final class RenewedOperator: Sendable {
    private static let key = ObjectKey(namespace: "default", name: "toy")

    private let client: KubernetesClient
    private let kubeconfig: String
    private let end = Locked<Result<(changes: Int, status: TerminationStatus), any Error>?>(nil)

    init(client: KubernetesClient, kubeconfig: String) {
        (self.client, self.kubeconfig) = (client, kubeconfig)
    }

    /// Changes the model again and again until it is over, each time when the change before was answered. Then the program
    /// is told to stop: one that ended before, or was started anew, could not end well.
    func run(until isOver: @escaping @Sendable () -> Bool) async {
        do {
            let ended = try await change(until: isOver)
            end.withLock { $0 = .success(ended) }
        } catch {
            end.withLock { $0 = .failure(error) }
        }
    }

    private func change(
        until isOver: @escaping @Sendable () -> Bool
    ) async throws -> (changes: Int, status: TerminationStatus) {
        let program = try #require(ProgramUnderTest.assay)
        let changes = Locked(0)
        let command = [program, "operator", "--kubeconfig", kubeconfig, "--health-address", "none"]
        let status = try await ProgramRun(command: command).during(endedBy: .terminate) {
            try await self.makeModel()
            repeat {
                try await self.change(changes.withLock { $0 })
                changes.withLock { $0 += 1 }
            } while !isOver()
        }
        return (changes.withLock { $0 }, status)
    }

    /// Returns when ``run(until:)`` is done, and says how it went.
    func waitForEnd() async throws {
        try await TestCluster.eventually("the operator's program ended") { end.withLock { $0 != nil } }
        let (changes, status) = try #require(end.withLock { $0 }).get()
        #expect(status == .exited(0), "the program that was started is the one that stopped")
        #expect(changes > 20, "changes were answered all the while")
        print("rotation: the operator answered \(changes) changes of a model")
    }

    private func makeModel() async throws {
        var model = try #require(JSONValue.documents(yaml: ToyModel(name: Self.key.name).yaml).first)
        model["metadata"] = ["name": .string(Self.key.name), "namespace": "default"]
        _ = try await insist { () throws(KubernetesError) in
            do throws(KubernetesError) {
                return try await client.create(.mlModels, model, fieldManager: "load")
            } catch {
                // An answer that was lost may have been that it is made.
                if error.isAlreadyExists { return try await client.get(.mlModels, Self.key) }
                throw error
            }
        }
    }

    /// Suspends it, or no longer, and waits until the operator has seen that.
    private func change(_ number: Int) async throws {
        let patch: JSONValue = ["spec": ["suspend": .bool(number.isMultiple(of: 2))]]
        let changed = try await insist { () throws(KubernetesError) in
            try await client.mergePatch(.mlModels, Self.key, patch, fieldManager: "load")
        }
        let generation = changed["metadata", "generation"]?.int ?? 0
        try await TestCluster.eventually("generation \(generation) is answered") {
            let model = try await insist { () throws(KubernetesError) in try await client.get(.mlModels, Self.key) }
            return model["status", "observedGeneration"]?.int ?? 0 >= generation
        }
    }

    /// Asks again and again, for this client's own files are renewed too.
    private func insist(_ ask: () async throws(KubernetesError) -> JSONValue) async throws -> JSONValue {
        while true {
            do throws(KubernetesError) {
                return try await ask()
            } catch {
                if error.isCancelled { throw error }
                try await Task.sleep(for: .milliseconds(50))
            }
        }
    }
}
