import AssayCore
import Concurrency
import JSON
import KubernetesClient
import KubernetesModel

/// Reads what a namespace asks of pods: its pod security label, and the service accounts that templates name.
///
/// Read live and kept for some seconds, since nothing but a rendered pod depends on it.
final class PolicyReader: Sendable {
    private struct Entry {
        var policy: PodPolicy
        var readAt: Duration
    }

    private struct Question: Hashable {
        var namespace: String
        var accounts: [String]
    }

    static let lifetime: Duration = .seconds(10)
    private static let limit = 1000

    private let client: KubernetesClient
    private let level: PodSecurityLevel
    private let time: any TimeSource
    private let entries = Locked<[Question: Entry]>([:])

    init(client: KubernetesClient, level: PodSecurityLevel, time: any TimeSource) {
        self.client = client
        self.level = level
        self.time = time
    }

    /// - Parameter templates: the pod templates whose service accounts matter.
    /// - Parameter live: read now, whatever is remembered.
    func policy(
        namespace: String, templates: [JSONValue], live: Bool
    ) async throws(KubernetesError) -> PodPolicy {
        let accounts = Set(templates.compactMap { $0["spec", "serviceAccountName"]?.string }).subtracting([
            "default", "",
        ])
        let question = Question(namespace: namespace, accounts: accounts.sorted())
        let now = time.monotonicNow()
        if !live, let entry = entries.withLock({ $0[question] }), now - entry.readAt < Self.lifetime {
            return entry.policy
        }
        let policy = try await read(question)
        entries.withLock { entries in
            if entries.count >= Self.limit { entries = entries.filter { now - $0.value.readAt < Self.lifetime } }
            entries[question] = Entry(policy: policy, readAt: now)
        }
        return policy
    }

    private func read(_ question: Question) async throws(KubernetesError) -> PodPolicy {
        var policy = PodPolicy(operatorLevel: level)
        policy.namespace = try await client.object(
            .namespaces, ObjectKey(namespace: nil, name: question.namespace), NamespaceObservation.init(json:))
        for name in question.accounts {
            let key = ObjectKey(namespace: question.namespace, name: name)
            policy.serviceAccounts[name] = try await client.object(
                .serviceAccounts, key, ServiceAccountObservation.init(json:))
        }
        return policy
    }
}

extension KubernetesClient {
    /// Reads an object; nil where there is none.
    func object<Object>(
        _ type: ResourceType, _ key: ObjectKey, _ read: (JSONValue) throws(JSONShapeError) -> Object
    ) async throws(KubernetesError) -> Object? {
        let json: JSONValue
        do throws(KubernetesError) {
            json = try await get(type, key)
        } catch {
            if error.isNotFound { return nil }
            throw error
        }
        return try decode(json, type, key.description, read)
    }

    /// Reads all objects that a label selector names.
    func objects<Object>(
        _ type: ResourceType, namespace: String?, _ options: ListOptions,
        _ read: (JSONValue) throws(JSONShapeError) -> Object
    ) async throws(KubernetesError) -> [Object] {
        var result: [Object] = []
        for item in try await listAll(type, namespace: namespace, options).items {
            result.append(try decode(item, type, item["metadata", "name"]?.string ?? "", read))
        }
        return result
    }

    private func decode<Object>(
        _ json: JSONValue, _ type: ResourceType, _ name: String,
        _ read: (JSONValue) throws(JSONShapeError) -> Object
    ) throws(KubernetesError) -> Object {
        do throws(JSONShapeError) {
            return try read(json)
        } catch {
            throw KubernetesError(.malformed(error.description), operation: "read \(type) \(name)")
        }
    }
}
