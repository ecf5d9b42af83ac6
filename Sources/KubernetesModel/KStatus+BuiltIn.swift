import JSON

extension KStatus {
    /// The rules for built-in kinds (cli-utils `pkg/kstatus/status/core.go`); nil for a kind without any.
    static func builtIn(_ object: JSONValue, now: Timestamp?) -> KStatus? {
        let group = object["apiVersion"]?.string?.split(separator: "/", omittingEmptySubsequences: false) ?? []
        switch (group.count == 2 ? String(group[0]) : "", object["kind"]?.string ?? "") {
        case ("apps", "Deployment"): return deployment(object)
        case ("apps", "ReplicaSet"): return replicaSet(object)
        case ("batch", "Job"): return job(object)
        case ("", "Pod"): return pod(object, now: now)
        case ("", "Service"): return service(object)
        case ("", "PersistentVolumeClaim"): return claim(object)
        case ("apiextensions.k8s.io", "CustomResourceDefinition"): return definition(object)
        default: return nil
        }
    }

    private static func isTrue(_ type: String, _ object: JSONValue) -> Bool {
        conditions(of: object).contains { $0["type"]?.string == type && $0["status"]?.string == "True" }
    }

    private static func deployment(_ object: JSONValue) -> KStatus {
        // Without a deadline the controller sets no Progressing condition.
        let unlimited = Int64(Int32.max)
        var isProgressing = (object["spec", "progressDeadlineSeconds"]?.integer ?? unlimited) == unlimited
        for condition in conditions(of: object) where condition["type"]?.string == "Progressing" {
            let reason = condition["reason"]?.string
            if reason == "ProgressDeadlineExceeded" {
                return KStatus(.failed, reason: "ProgressDeadlineExceeded", message: "Progress deadline exceeded")
            }
            if condition["status"]?.string == "True", reason == "NewReplicaSetAvailable" { isProgressing = true }
        }
        let wanted = object["spec", "replicas"]?.integer ?? 1
        func count(_ field: String) -> Int64 { object["status", field]?.integer ?? 0 }
        func waiting(_ reason: String, _ message: String) -> KStatus {
            KStatus(.inProgress, reason: reason, message: message)
        }
        if wanted > count("replicas") { return waiting("LessReplicas", "replicas: \(count("replicas"))/\(wanted)") }
        if wanted > count("updatedReplicas") {
            return waiting("LessUpdated", "Updated: \(count("updatedReplicas"))/\(wanted)")
        }
        if count("replicas") > wanted {
            return waiting("ExtraPods", "Pending termination: \(count("replicas") - wanted)")
        }
        if count("updatedReplicas") > count("availableReplicas") {
            return waiting("LessAvailable", "Available: \(count("availableReplicas"))/\(count("updatedReplicas"))")
        }
        if wanted > count("readyReplicas") {
            return waiting("LessReady", "Ready: \(count("readyReplicas"))/\(wanted)")
        }
        if !isProgressing { return waiting("ReplicaSetNotAvailable", "ReplicaSet not Available") }
        if !isTrue("Available", object) { return waiting("DeploymentNotAvailable", "Deployment not Available") }
        return KStatus(.current, message: "Deployment is available. Replicas: \(count("replicas"))")
    }

    private static func replicaSet(_ object: JSONValue) -> KStatus {
        if isTrue("ReplicaFailure", object) {
            return KStatus(.inProgress, reason: "ReplicaFailure", message: "Replica Failure condition. Check Pods")
        }
        let wanted = object["spec", "replicas"]?.integer ?? 1
        for (field, reason) in [
            ("fullyLabeledReplicas", "LessLabelled"), ("availableReplicas", "LessAvailable"),
            ("readyReplicas", "LessReady"),
        ] {
            let found = object["status", field]?.integer ?? 0
            if wanted > found { return KStatus(.inProgress, reason: reason, message: "\(field): \(found)/\(wanted)") }
        }
        let found = object["status", "replicas"]?.integer ?? 0
        if found > wanted {
            return KStatus(.inProgress, reason: "ExtraPods", message: "Pending termination: \(found - wanted)")
        }
        return KStatus(.current, message: "ReplicaSet is available. Replicas: \(found)")
    }

    /// A Job that runs is Current: it is as its spec wants it.
    private static func job(_ object: JSONValue) -> KStatus {
        let completions = object["spec", "completions"]?.integer ?? object["spec", "parallelism"]?.integer ?? 1
        let succeeded = object["status", "succeeded"]?.integer ?? 0
        let failed = object["status", "failed"]?.integer ?? 0
        if isTrue("Complete", object) {
            return KStatus(.current, message: "Job Completed. succeeded: \(succeeded)/\(completions)")
        }
        if isTrue("Failed", object) {
            return KStatus(.failed, reason: "JobFailed", message: "Job Failed. failed: \(failed)/\(completions)")
        }
        if isTrue("Suspended", object) {
            return KStatus(.inProgress, reason: "JobSuspended", message: "Job is suspended")
        }
        if (object["status", "startTime"]?.string ?? "").isEmpty {
            return KStatus(.inProgress, reason: "JobNotStarted", message: "Job not started")
        }
        let active = object["status", "active"]?.integer ?? 0
        return KStatus(
            .current, message: "Job in progress. success:\(succeeded), active: \(active), failed: \(failed)")
    }

    private static func pod(_ object: JSONValue, now: Timestamp?) -> KStatus {
        switch object["status", "phase"]?.string ?? "" {
        case "Succeeded": return KStatus(.current, message: "Pod has completed successfully")
        case "Failed": return KStatus(.failed, reason: "PodFailed", message: "Pod has completed, but not successfully")
        case "Running":
            if isTrue("Ready", object) { return KStatus(.current, message: "Pod is Ready") }
            let crashing = (object["status", "containerStatuses"]?.array ?? []).filter {
                $0["state", "waiting", "reason"]?.string == "CrashLoopBackOff"
            }.compactMap { $0["name"]?.string }
            if !crashing.isEmpty {
                return KStatus(
                    .failed, reason: "ContainerCrashLooping",
                    message: "Containers in CrashLoop state: \(crashing.joined(separator: ","))")
            }
            return KStatus(
                .inProgress, reason: "PodRunningNotReady", message: "Pod is running but is not Ready")
        case "Pending":
            let refused = conditions(of: object).contains {
                $0["type"]?.string == "PodScheduled" && $0["status"]?.string == "False"
                    && $0["reason"]?.string == "Unschedulable"
            }
            if refused {
                let created = object["metadata", "creationTimestamp"]?.string.flatMap { Timestamp($0) }
                if let now, let created, now - created >= .seconds(15) {
                    return KStatus(.failed, reason: "PodUnschedulable", message: "Pod could not be scheduled")
                }
                return KStatus(
                    .inProgress, reason: "PodNotScheduled", message: "Pod has not been scheduled")
            }
            return KStatus(.inProgress, reason: "PodPending", message: "Pod is in the Pending phase")
        case "": return KStatus(.inProgress, reason: "PodNotObserved", message: "Pod phase not available")
        case let phase: return KStatus(.inProgress, reason: "PodPhaseUnknown", message: "unknown phase \(phase)")
        }
    }

    private static func service(_ object: JSONValue) -> KStatus {
        let needsAddress = object["spec", "type"]?.string == "LoadBalancer"
        if needsAddress, (object["spec", "clusterIP"]?.string ?? "").isEmpty {
            return KStatus(
                .inProgress, reason: "NoIPAssigned", message: "ClusterIP not set. Service type: LoadBalancer")
        }
        return KStatus(.current, message: "Service is ready")
    }

    private static func claim(_ object: JSONValue) -> KStatus {
        if object["status", "phase"]?.string == "Bound" { return KStatus(.current, message: "PVC is Bound") }
        return KStatus(.inProgress, reason: "NotBound", message: "PVC is not Bound")
    }

    private static func definition(_ object: JSONValue) -> KStatus {
        for condition in conditions(of: object) {
            switch (condition["type"]?.string, condition["status"]?.string) {
            case ("NamesAccepted", "False"), ("Established", "False"): return KStatus(.failed, condition)
            case ("Established", "True"): return KStatus(.current, message: "CRD is established")
            default: continue
            }
        }
        return KStatus(.inProgress, reason: "Installing", message: "Install in progress")
    }
}
