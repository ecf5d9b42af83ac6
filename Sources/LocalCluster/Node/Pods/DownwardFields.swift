import JSON
import KubernetesModel

/// The fields of a pod that its containers can read, through the environment or a downwardAPI volume.
enum DownwardFields {
    /// The value at a field path; nil where the path is none that can be read. An absent label is an empty string.
    static func value(_ path: String, of pod: NodePod, podIP: String, hostIP: String, nodeName: String) -> String? {
        switch path {
        case "metadata.name": return pod.metadata.name
        case "metadata.namespace": return pod.metadata.namespace ?? "default"
        case "metadata.uid": return pod.metadata.uid
        case "metadata.labels": return listing(pod.metadata.labels)
        case "metadata.annotations": return listing(pod.metadata.annotations)
        case "spec.nodeName": return nodeName
        case "spec.serviceAccountName": return pod.serviceAccountName
        case "status.podIP", "status.podIPs": return podIP
        case "status.hostIP", "status.hostIPs": return hostIP
        default: break
        }
        for (field, map) in [
            ("metadata.labels", pod.metadata.labels), ("metadata.annotations", pod.metadata.annotations),
        ] where path.hasPrefix("\(field)['") && path.hasSuffix("']") {
            return map[String(path.dropFirst(field.count + 2).dropLast(2))] ?? ""
        }
        return nil
    }

    /// `key="value"` a line, sorted, values quoted as Go quotes them.
    private static func listing(_ map: [String: String]) -> String {
        map.sorted { $0.key < $1.key }.map { "\($0.key)=\(JSONValue.string($0.value).serialized())" }
            .joined(separator: "\n")
    }

    /// The value of a `resourceFieldRef`, divided and rounded up as the API says.
    static func resource(
        _ reference: JSONValue, of pod: NodePod, container: String, allocatable: [String: Quantity]
    ) throws(ContainerConfigurationError) -> String {
        let name = reference["resource"]?.string ?? ""
        let parts = name.split(separator: ".", maxSplits: 1).map(String.init)
        let target = reference["containerName"]?.string ?? container
        guard parts.count == 2, ["limits", "requests"].contains(parts[0]),
            let resources = pod.allContainers.first(where: { $0.name == target })?.resources
        else { throw ContainerConfigurationError("unsupported resourceFieldRef: \(name) of container \(target)") }
        var amount = Quantity.zero
        var divisor = Quantity(1)
        do throws(QuantityError) {
            if let text = text(resources[parts[0], parts[1]]) {
                amount = try Quantity(text)
            } else if parts[0] == "limits" {
                // Without a limit, the node is the limit.
                amount = allocatable[parts[1]] ?? .zero
            }
            if let text = text(reference["divisor"]), text != "0" { divisor = try Quantity(text) }
        } catch {
            throw ContainerConfigurationError("resourceFieldRef \(name): \(error)")
        }
        let (quotient, remainder) = amount.nanos.quotientAndRemainder(dividingBy: divisor.nanos)
        return String(quotient + (remainder > 0 ? 1 : 0))
    }

    private static func text(_ value: JSONValue?) -> String? {
        value?.string ?? value?.integer.map { String($0) }
    }
}
