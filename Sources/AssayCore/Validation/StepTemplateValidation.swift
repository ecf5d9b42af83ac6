import JSON

/// Names and places that are the operator's in a pod to which it adds containers of its own.
struct ReservedNames {
    private(set) var problems: [FieldProblem] = []

    /// - Parameter places: directories at or below which nothing of the user's may be mounted.
    init(_ template: PodTemplate, at path: String, places: [String]) {
        let reserved = "names that begin with \(ArtifactContainer.prefix) are the operator's"
        for (index, volume) in (template.spec?["volumes"]?.array ?? []).enumerated() {
            guard let name = volume["name"]?.string, name.hasPrefix(ArtifactContainer.prefix) else { continue }
            problems.append(FieldProblem("\(path).spec.volumes[\(index)].name", "\(name): \(reserved)"))
        }
        for (list, containers) in [("initContainers", template.initContainers), ("containers", template.containers)] {
            for (index, container) in containers.enumerated() {
                let field = "\(path).spec.\(list)[\(index)]"
                if let name = container["name"]?.string, name.hasPrefix(ArtifactContainer.prefix) {
                    problems.append(FieldProblem("\(field).name", "\(name): \(reserved)"))
                }
                for (index, mount) in (container["volumeMounts"]?.array ?? []).enumerated() {
                    guard let at = mount["mountPath"]?.string,
                        let place = places.first(where: { at == $0 || at.hasPrefix($0 + "/") })
                    else { continue }
                    problems.append(
                        FieldProblem("\(field).volumeMounts[\(index)].mountPath", "\(place) is the operator's"))
                }
            }
        }
    }
}

/// What the template of a step with outputs may not have beside: its container runs as an init container, before the one
/// that seals what it has made.
struct StepTemplateValidation {
    private(set) var problems: [FieldProblem] = []

    init(_ step: TrainingStep, at path: String) {
        problems = ReservedNames(step.template, at: path, places: [ArtifactContainer.root]).problems
        guard !step.outputs.isEmpty else { return }
        let containers = step.template.containers
        if containers.count > 1 {
            problems.append(
                FieldProblem(
                    "\(path).spec.containers",
                    "a step with outputs has exactly one container, for the step has ended when it has; make the others "
                        + "initContainers with restartPolicy: Always"))
        }
        guard let only = containers.first else { return }
        for field in ["livenessProbe", "readinessProbe", "startupProbe", "lifecycle", "ports"]
        where only[field] != nil && only[field] != .null {
            problems.append(
                FieldProblem(
                    "\(path).spec.containers[0].\(field)",
                    "the container of a step with outputs runs to its end before its pod is ready; remove it"))
        }
    }
}
