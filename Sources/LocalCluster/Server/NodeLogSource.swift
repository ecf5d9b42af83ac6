import APIServerModel
import JSON
import KubernetesClient
import KubernetesModel

/// Reads the logs of a node in this process, as the API server reads a kubelet's.
struct NodeLogSource: PodLogSource {
    let client: KubernetesClient
    let logs: NodeLogs

    func podLogs(_ request: PodLogRequest) async throws -> PodLogOutput {
        let pod = try await client.get(.pods, ObjectKey(namespace: request.namespace, name: request.name))
        let container = try Self.container(of: pod, request)
        let state = Self.state(of: container, in: pod)
        var query = NodeLogs.Request(
            podUID: request.uid, container: container, restartCount: state?["restartCount"]?.int ?? 0)
        query.previous = request.previous
        query.follow = request.follow
        query.timestamps = request.timestamps
        query.tailLines = request.tailLines
        query.limitBytes = request.limitBytes
        query.since = request.sinceTime.flatMap { Timestamp($0) }
        if let seconds = request.sinceSeconds, query.since == nil {
            query.since = Timestamp(sinceEpoch: logs.now) + .seconds(-seconds)
        }
        guard logs.exists(query) else {
            throw PodLogError.badRequest(Self.absence(container, pod: request.name, state, request))
        }
        let (client, logs, whole) = (client, logs, query)
        return PodLogOutput { writer in
            try await logs.write(whole, hasEnded: { await Self.hasEnded(container, request, client) }, to: writer)
        }
    }

    /// The container that is meant; where several could be, kubectl's user has to say which.
    private static func container(of pod: JSONValue, _ request: PodLogRequest) throws(PodLogError) -> String {
        let spec = pod["spec"]
        let names = ["containers", "initContainers"].flatMap { key in
            (spec?[key]?.array ?? []).compactMap { $0["name"]?.string }
        }
        if let asked = request.container {
            guard names.contains(asked) else {
                throw .badRequest("container \(asked) is not valid for pod \(request.name)")
            }
            return asked
        }
        let standard = pod["metadata", "annotations"]?["kubectl.kubernetes.io/default-container"]?.string
        if let standard, names.contains(standard) { return standard }
        guard let only = names.first, names.count == 1 else {
            let choice = names.joined(separator: " ")
            throw .badRequest(
                "a container name must be specified for pod \(request.name), choose one of: [\(choice)]")
        }
        return only
    }

    private static func state(of container: String, in pod: JSONValue) -> JSONValue? {
        ["containerStatuses", "initContainerStatuses"].lazy
            .flatMap { pod["status", $0]?.array ?? [] }
            .first { $0["name"]?.string == container }
    }

    private static func absence(
        _ container: String, pod: String, _ state: JSONValue?, _ request: PodLogRequest
    ) -> String {
        if request.previous {
            return "previous terminated container \"\(container)\" in pod \"\(pod)\" not found"
        }
        let reason = state?["state", "waiting"]?["reason"]?.string ?? "ContainerCreating"
        return "container \"\(container)\" in pod \"\(pod)\" is waiting to start: \(reason)"
    }

    /// True once the container will write no more.
    private static func hasEnded(
        _ container: String, _ request: PodLogRequest, _ client: KubernetesClient
    ) async -> Bool {
        do throws(KubernetesError) {
            let pod = try await client.get(.pods, ObjectKey(namespace: request.namespace, name: request.name))
            guard pod["metadata", "uid"]?.string == request.uid else { return true }
            return state(of: container, in: pod)?["state", "terminated"] != nil
        } catch {
            return error.isNotFound || Task.isCancelled
        }
    }
}
