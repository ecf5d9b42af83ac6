import JSON
import KubernetesModel

extension TablePrinter {
    static let pods = Layout(
        "Name Ready Status Restarts Age IP* Node* Nominated_Node* Readiness_Gates*"
    ) { pod, now in
        let summary = PodSummary(pod)
        var restarts = "\(summary.restarts)"
        if summary.restarts > 0, let last = summary.lastRestart {
            restarts += " (\(HumanDuration.text(now - last)) ago)"
        }
        let gates = pod["spec", "readinessGates"]?.array ?? []
        let passed = gates.count { gate in
            (pod["status", "conditions"]?.array ?? []).contains {
                $0["type"] == gate["conditionType"] && $0["status"] == "True"
            }
        }
        return [
            name(pod), .string("\(summary.ready)/\(summary.total)"), .string(summary.reason), .string(restarts),
            age(pod, now), text(pod["status", "podIP"]), text(pod["spec", "nodeName"]),
            text(pod["status", "nominatedNodeName"]), .string(gates.isEmpty ? "<none>" : "\(passed)/\(gates.count)"),
        ]
    }
}

/// READY, STATUS and RESTARTS of a pod (`printPod` of `pkg/printers/internalversion`).
private struct PodSummary {
    private(set) var total: Int
    private(set) var ready = 0
    private(set) var restarts: Int64 = 0
    private(set) var lastRestart: Timestamp?
    private(set) var reason: String

    init(_ pod: JSONValue) {
        let status = pod["status"] ?? [:]
        total = pod["spec", "containers"]?.array?.count ?? 0
        reason = status["reason"]?.string ?? status["phase"]?.string ?? "Unknown"
        let conditions = status["conditions"]?.array ?? []
        if conditions.contains(where: { $0["type"] == "PodScheduled" && $0["reason"] == "SchedulingGated" }) {
            reason = "SchedulingGated"
        }
        let isInitialized = conditions.contains { $0["type"] == "Initialized" && $0["status"] == "True" }
        if !readInit(pod) || isInitialized {
            let isReady = conditions.contains { $0["type"] == "Ready" && $0["status"] == "True" }
            readContainers(status["containerStatuses"]?.array ?? [], isReady: isReady)
        }
        guard pod["metadata", "deletionTimestamp"] != nil else { return }
        let phase = status["phase"]?.string
        if status["reason"] == "NodeLost" {
            reason = "Unknown"
        } else if phase != "Succeeded", phase != "Failed" {
            reason = "Terminating"
        }
    }

    /// True while the pod is initializing.
    private mutating func readInit(_ pod: JSONValue) -> Bool {
        let specs = pod["spec", "initContainers"]?.array ?? []
        let sidecars = Set(specs.filter { $0["restartPolicy"] == "Always" }.compactMap { $0["name"]?.string })
        total += sidecars.count
        var sidecarRestarts: Int64 = 0
        defer { if reason.hasPrefix("Init:") == false { restarts = sidecarRestarts } }
        for (index, status) in (pod["status", "initContainerStatuses"]?.array ?? []).enumerated() {
            count(status)
            let isSidecar = sidecars.contains(status["name"]?.string ?? "")
            if isSidecar { sidecarRestarts += status["restartCount"]?.integer ?? 0 }
            let terminated = status["state", "terminated"]
            if let terminated, terminated["exitCode"]?.integer ?? 0 == 0 { continue }
            if isSidecar, status["started"]?.bool == true {
                if status["ready"]?.bool == true { ready += 1 }
                continue
            }
            if let terminated {
                reason = "Init:" + Self.reason(ofTerminated: terminated)
            } else if let waiting = status["state", "waiting", "reason"]?.string, !waiting.isEmpty,
                waiting != "PodInitializing"
            {
                reason = "Init:" + waiting
            } else {
                reason = "Init:\(index)/\(specs.count)"
            }
            return true
        }
        return false
    }

    private mutating func readContainers(_ statuses: [JSONValue], isReady: Bool) {
        var hasRunning = false
        for status in statuses.reversed() {
            count(status)
            if let waiting = status["state", "waiting", "reason"]?.string, !waiting.isEmpty {
                reason = waiting
            } else if let terminated = status["state", "terminated"] {
                reason = Self.reason(ofTerminated: terminated)
            } else if status["ready"]?.bool == true, status["state", "running"] != nil {
                hasRunning = true
                ready += 1
            }
        }
        if reason == "Completed", hasRunning { reason = isReady ? "Running" : "NotReady" }
    }

    private mutating func count(_ status: JSONValue) {
        restarts += status["restartCount"]?.integer ?? 0
        guard let finished = status["lastState", "terminated", "finishedAt"]?.string.flatMap(Timestamp.init) else {
            return
        }
        lastRestart = max(lastRestart ?? finished, finished)
    }

    private static func reason(ofTerminated state: JSONValue) -> String {
        if let reason = state["reason"]?.string, !reason.isEmpty { return reason }
        if let signal = state["signal"]?.integer, signal != 0 { return "Signal:\(signal)" }
        return "ExitCode:\(state["exitCode"]?.integer ?? 0)"
    }
}
