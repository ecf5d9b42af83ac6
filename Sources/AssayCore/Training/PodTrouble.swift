import JSON
import KubernetesModel

/// Why pods do not get on, in the words that a person needs: the reason that Kubernetes gives, and the field to mend.
struct PodTrouble: Sendable, Hashable {
    var reason: String
    var message: String
    var pod: String?

    private static let imageReasons: Set<String> = [
        "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError",
        "RegistryUnavailable",
    ]
    private static let startReasons: Set<String> = [
        "RunContainerError", "CreateContainerError", "StartError", "ContainerCannotRun",
    ]
    private static let ordinaryReasons: Set<String> = ["", "ContainerCreating", "PodInitializing"]

    /// What holds up a pod that has not ended; nil when nothing does.
    static func pending(_ pods: [PodObservation], template: PodTemplate, path: String) -> PodTrouble? {
        let living = pods.filter { $0.phase != "Succeeded" && $0.phase != "Failed" && !$0.metadata.isBeingDeleted }
        let newestFirst = living.sorted {
            ($0.metadata.creationTimestamp ?? .init(seconds: 0), $0.metadata.name)
                > ($1.metadata.creationTimestamp ?? .init(seconds: 0), $1.metadata.name)
        }
        for pod in newestFirst {
            if let trouble = pending(pod, template: template, path: path) { return trouble }
        }
        return nil
    }

    private static func pending(_ pod: PodObservation, template: PodTemplate, path: String) -> PodTrouble? {
        if let scheduled = pod.conditions["PodScheduled"], scheduled.status == .false {
            return PodTrouble(
                reason: scheduled.reason.isEmpty ? "Unschedulable" : scheduled.reason,
                message: "pod \(pod.metadata.name) cannot be scheduled: \(Text.tail(scheduled.message))",
                pod: pod.metadata.name)
        }
        for container in pod.initContainers + pod.containers {
            guard let reason = container.waitingReason, !ordinaryReasons.contains(reason) else { continue }
            var message = "\(field(of: container.name, reason: reason, template: template, path: path)): \(reason)"
            if reason == "CrashLoopBackOff", let last = container.lastTermination {
                message += ", \(description(of: last))"
            } else if !container.waitingMessage.isEmpty {
                message += ": \(Text.tail(container.waitingMessage))"
            }
            return PodTrouble(reason: reason, message: message, pod: pod.metadata.name)
        }
        return nil
    }

    /// Why a pod failed; nil when it did not.
    static func failure(_ pod: PodObservation, template: PodTemplate, path: String) -> PodTrouble? {
        let containers = pod.initContainers + pod.containers
        let ended = containers.first { ($0.terminated?.exitCode ?? 0) != 0 || $0.terminated?.reason == "OOMKilled" }
        if let ended, let termination = ended.terminated {
            let reason = reason(of: termination)
            let place = field(of: ended.name, reason: reason, template: template, path: path)
            return PodTrouble(
                reason: reason, message: "\(place): \(description(of: termination))", pod: pod.metadata.name)
        }
        guard pod.phase == "Failed" else { return nil }
        let reason = pod.reason.isEmpty ? "PodFailed" : pod.reason
        let said = pod.message.isEmpty ? reason : "\(reason): \(Text.tail(pod.message))"
        return PodTrouble(reason: reason, message: "pod \(pod.metadata.name): \(said)", pod: pod.metadata.name)
    }

    private static func reason(of termination: PodObservation.Container.Termination) -> String {
        if termination.reason == "OOMKilled" { return "OOMKilled" }
        if startReasons.contains(termination.reason) { return "StartError" }
        return "ExitCode"
    }

    private static func description(of termination: PodObservation.Container.Termination) -> String {
        var text =
            switch reason(of: termination) {
            case "OOMKilled": "OOMKilled (out of memory, exit code \(termination.exitCode)); raise its memory limit"
            case "StartError": "the command could not be started (exit code \(termination.exitCode))"
            default: "exit code \(termination.exitCode)"
            }
        if termination.signal != 0 { text += ", signal \(termination.signal)" }
        if termination.exitCode == 127 || termination.exitCode == 126, reason(of: termination) == "ExitCode" {
            text += termination.exitCode == 127 ? " (command not found)" : " (command not executable)"
        }
        let tail = Text.tail(termination.message)
        return tail.isEmpty ? text : "\(text): \(tail)"
    }

    /// The field that a person would look at first.
    private static func field(of container: String, reason: String, template: PodTemplate, path: String) -> String {
        let lists = [("initContainers", template.initContainers), ("containers", template.containers)]
        for (list, containers) in lists {
            guard let index = containers.firstIndex(where: { $0["name"]?.string == container }) else { continue }
            let place = "\(path).spec.\(list)[\(index)]"
            if imageReasons.contains(reason) {
                return "\(place).image \"\(containers[index]["image"]?.string ?? "")\""
            }
            if startReasons.contains(reason) { return "\(place).command" }
            if reason == "CreateContainerConfigError" { return "\(place).env" }
            return "\(place) (\(container))"
        }
        return "container \(container)"
    }

    /// A refusal to create pods, which only the child's controller sees and tells in an event.
    static func refusedCreation(_ events: [EventObservation], uid: String) -> PodTrouble? {
        guard let event = events.last(where: { $0.regardingUID == uid && $0.reason == "FailedCreate" }) else {
            return nil
        }
        let reason = event.note.contains("exceeded quota") ? "QuotaExceeded" : "PodCreationRefused"
        return PodTrouble(reason: reason, message: "pods cannot be created: \(Text.limited(event.note, to: 512))")
    }
}
