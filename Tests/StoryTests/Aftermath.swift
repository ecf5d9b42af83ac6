import AssayCore
import JSON
import KubernetesClient
import KubernetesModel

extension StoryWorld {
    /// What is in the namespace, a line each: what a person would look at first where a story came to no end.
    func aftermath() async -> String {
        let types: [ResourceType] = [
            .mlModels, .trainingJobs, .jobs, .pods, .deployments, .replicaSets, .services, .endpointSlices, .events,
        ]
        var lines: [String] = []
        for type in types {
            do {
                lines += try await client.listAll(type, namespace: namespace).items.map { Self.line(type, $0) }
            } catch {
                lines.append("\(type): \(error)")
            }
        }
        return lines.joined(separator: "\n")
    }

    private static func line(_ type: ResourceType, _ object: JSONValue) -> String {
        let metadata = object["metadata"]
        var line = "\(type.plural) \(metadata?["name"]?.string ?? "") \(metadata?["creationTimestamp"]?.string ?? "")"
        if metadata?["deletionTimestamp"] != nil { line += " (being deleted)" }
        // Of an event what it tells, of an EndpointSlice whom it names, of all else how it is.
        for member in ["status", "note", "endpoints"] {
            if let value = object[member] { line += " " + value.serialized() }
        }
        return line
    }
}
