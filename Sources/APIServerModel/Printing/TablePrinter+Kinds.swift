import JSON
import KubernetesModel

extension TablePrinter {
    /// The columns of built-in kinds, after `pkg/printers/internalversion/printers.go`.
    static let builtIn: [String: Layout] = workloads.merging(services) { $1 }.merging(others) { $1 }

    private static func containers(_ object: JSONValue) -> [JSONValue] {
        let containers = object["spec", "template", "spec", "containers"]?.array ?? []
        return [
            list(containers.compactMap { $0["name"]?.string }), list(containers.compactMap { $0["image"]?.string }),
            .string(Selectors.text(object["spec", "selector"])),
        ]
    }

    private static let workloads: [String: Layout] = [
        "Pod": pods,
        "Deployment": Layout(
            "Name Ready Up-to-date:integer Available:integer Age Containers* Images* Selector*"
        ) { object, now in
            let status = object["status"]
            let ready = "\(status?["readyReplicas"]?.integer ?? 0)/\(object["spec", "replicas"]?.integer ?? 1)"
            return [
                name(object), .string(ready), integer(status?["updatedReplicas"]),
                integer(status?["availableReplicas"]), age(object, now),
            ] + containers(object)
        },
        "ReplicaSet": Layout(
            "Name Desired:integer Current:integer Ready:integer Age Containers* Images* Selector*"
        ) { object, now in
            [
                name(object), integer(object["spec", "replicas"]), integer(object["status", "replicas"]),
                integer(object["status", "readyReplicas"]), age(object, now),
            ] + containers(object)
        },
        "Job": Layout("Name Status Completions Duration Age Containers* Images* Selector*") { job, now in
            [name(job), .string(jobStatus(job)), .string(completions(job)), .string(duration(job, now)), age(job, now)]
                + containers(job)
        },
        "PodDisruptionBudget": Layout("Name Min_Available Max_Unavailable Allowed_Disruptions:integer Age") {
            object, now in
            [
                name(object), text(object["spec", "minAvailable"], or: "N/A"),
                text(object["spec", "maxUnavailable"], or: "N/A"), integer(object["status", "disruptionsAllowed"]),
                age(object, now),
            ]
        },
        "HorizontalPodAutoscaler": Layout(
            "Name Reference Targets MinPods MaxPods:integer Replicas:integer Age"
        ) { object, now in
            let target = object["spec", "scaleTargetRef"]
            return [
                name(object),
                .string("\(target?["kind"]?.string ?? "")/\(target?["name"]?.string ?? "")"), "<unknown>",
                text(object["spec", "minReplicas"], or: "<unset>"), integer(object["spec", "maxReplicas"]),
                integer(object["status", "currentReplicas"]), age(object, now),
            ]
        },
    ]

    private static func jobStatus(_ job: JSONValue) -> String {
        func has(_ type: String) -> Bool {
            (job["status", "conditions"]?.array ?? []).contains { $0["type"]?.string == type && $0["status"] == "True" }
        }
        if has("Complete") { return "Complete" }
        if has("Failed") { return "Failed" }
        if job["metadata", "deletionTimestamp"] != nil { return "Terminating" }
        return ["Suspended", "FailureTarget", "SuccessCriteriaMet"].first(where: has) ?? "Running"
    }

    private static func completions(_ job: JSONValue) -> String {
        let succeeded = job["status", "succeeded"]?.integer ?? 0
        if let completions = job["spec", "completions"]?.integer { return "\(succeeded)/\(completions)" }
        let parallelism = job["spec", "parallelism"]?.integer ?? 0
        return parallelism > 1 ? "\(succeeded)/1 of \(parallelism)" : "\(succeeded)/1"
    }

    private static func duration(_ job: JSONValue, _ now: Timestamp) -> String {
        guard let start = job["status", "startTime"]?.string.flatMap(Timestamp.init) else { return "" }
        let end = job["status", "completionTime"]?.string.flatMap(Timestamp.init)
        return HumanDuration.text((end ?? now) - start)
    }
}

extension TablePrinter {
    private static let services: [String: Layout] = [
        "Service": Layout("Name Type Cluster-IP External-IP Port(s) Age Selector*") { service, now in
            let spec = service["spec"]
            let ports = (spec?["ports"]?.array ?? []).map { port in
                let node = port["nodePort"]?.integer ?? 0
                return "\(port["port"]?.integer ?? 0)\(node > 0 ? ":\(node)" : "")/\(port["protocol"]?.string ?? "TCP")"
            }
            let selector = (spec?["selector"]?.object ?? [:]).map { "\($0)=\($1.string ?? "")" }
            return [
                name(service), text(spec?["type"]), text(spec?["clusterIP"]), .string(externalAddress(service)),
                list(ports), age(service, now), list(selector),
            ]
        },
        "Endpoints": Layout("Name Endpoints Age") { object, now in
            let all = (object["subsets"]?.array ?? []).flatMap { subset in
                (subset["addresses"]?.array ?? []).flatMap { address -> [String] in
                    let ip = address["ip"]?.string ?? ""
                    let ports = subset["ports"]?.array ?? []
                    return ports.isEmpty ? [ip] : ports.map { "\(ip):\($0["port"]?.integer ?? 0)" }
                }
            }
            return [name(object), .string(shortened(all)), age(object, now)]
        },
        "EndpointSlice": Layout("Name AddressType Ports Endpoints Age") { object, now in
            let ports = (object["ports"]?.array ?? []).map { $0["port"]?.integer.map(String.init) ?? "*" }
            let addresses = (object["endpoints"]?.array ?? []).flatMap {
                ($0["addresses"]?.array ?? []).compactMap(\.string)
            }
            return [
                name(object), text(object["addressType"]), .string(shortened(ports, or: "<unset>")),
                .string(shortened(addresses, or: "<unset>")), age(object, now),
            ]
        },
    ]

    private static func shortened(_ items: [String], or fallback: String = "<none>") -> String {
        if items.isEmpty { return fallback }
        let shown = items.prefix(3).joined(separator: ",")
        return items.count > 3 ? "\(shown) + \(items.count - 3) more..." : shown
    }

    private static func externalAddress(_ service: JSONValue) -> String {
        let external = (service["spec", "externalIPs"]?.array ?? []).compactMap(\.string)
        switch service["spec", "type"]?.string {
        case "ExternalName": return service["spec", "externalName"]?.string ?? "<none>"
        case "LoadBalancer":
            let ingress = service["status", "loadBalancer", "ingress"]?.array ?? []
            let all = ingress.compactMap { $0["ip"]?.string ?? $0["hostname"]?.string } + external
            return all.isEmpty ? "<pending>" : all.joined(separator: ",")
        default: return external.isEmpty ? "<none>" : external.joined(separator: ",")
        }
    }
}
