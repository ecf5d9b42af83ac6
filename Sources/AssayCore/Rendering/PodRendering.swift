import JSON

/// Turns a user's template into the template of a child: what is not said gets a value, nothing that is said changes.
struct PodRendering {
    var template: JSONValue

    init(_ template: PodTemplate) { self.template = template.json }

    mutating func addLabels(_ labels: [String: String]) {
        for (key, value) in labels { template["metadata", "labels", key] = .string(value) }
    }

    /// So that `kubectl logs` finds the user's container without `-c`.
    mutating func nameDefaultContainer(_ name: String?) {
        guard let name, template["metadata", "annotations", Label.defaultContainer] == nil else { return }
        template["metadata", "annotations", Label.defaultContainer] = .string(name)
    }

    mutating func setDefault(_ field: String, _ value: JSONValue) {
        let present = template["spec", field]
        if present == nil || present == .null { template["spec", field] = value }
    }

    /// Changes every container, the init containers among them.
    mutating func forEachContainer(_ change: (inout JSONValue) -> Void) {
        for list in ["initContainers", "containers"] {
            guard let containers = template["spec", list]?.array else { continue }
            template["spec", list] = .array(
                containers.map {
                    var container = $0
                    change(&container)
                    return container
                })
        }
    }

    mutating func addVolumes(_ volumes: [JSONValue]) {
        template["spec", "volumes"] = .array((template["spec", "volumes"]?.array ?? []) + volumes)
    }

    static func mount(_ mounts: [JSONValue], in container: inout JSONValue) {
        container["volumeMounts"] = .array((container["volumeMounts"]?.array ?? []) + mounts)
    }

    /// Puts variables before the container's own, which may then refer to them as `$(NAME)`.
    static func prepend(_ variables: [(name: String, value: String)], to container: inout JSONValue) {
        prepend(variables.map { ["name": .string($0.name), "value": .string($0.value)] }, to: &container)
    }

    static func prepend(_ variables: [JSONValue], to container: inout JSONValue) {
        container["env"] = .array(variables + (container["env"]?.array ?? []))
    }

    /// A failed container's last words reach the condition through it.
    static func fallBackToLogs(_ container: inout JSONValue) {
        guard container["terminationMessagePolicy"] == nil else { return }
        container["terminationMessagePolicy"] = "FallbackToLogsOnError"
    }
}
