import JSON
import KubernetesModel

extension TablePrinter {
    static let others: [String: Layout] = [
        "Namespace": Layout("Name Status Age") { object, now in
            [name(object), text(object["status", "phase"]), age(object, now)]
        },
        "Node": node,
        "Event": event,
        "ConfigMap": Layout("Name Data Age") { object, now in
            [name(object), JSONValue(count(object, "data") + count(object, "binaryData")), age(object, now)]
        },
        "Secret": Layout("Name Type Data:integer Age") { object, now in
            [name(object), text(object["type"]), JSONValue(count(object, "data")), age(object, now)]
        },
        "ServiceAccount": Layout("Name Secrets:integer Age") { object, now in
            [name(object), JSONValue(object["secrets"]?.array?.count ?? 0), age(object, now)]
        },
        "PersistentVolumeClaim": claim,
        "PersistentVolume": volume,
        "Lease": Layout("Name Holder Age") { object, now in
            [name(object), text(object["spec", "holderIdentity"], or: ""), age(object, now)]
        },
        "CustomResourceDefinition": Layout("Name Created_At:date") { object, now in
            [name(object), object["metadata", "creationTimestamp"] ?? "<unknown>"]
        },
        "Role": created, "ClusterRole": created,
        "RoleBinding": binding, "ClusterRoleBinding": binding,
        "NetworkPolicy": Layout("Name Pod-Selector Age") { object, now in
            [name(object), .string(Selectors.text(object["spec", "podSelector"])), age(object, now)]
        },
        "ResourceQuota": Layout("Name Request Limit Age") { object, now in
            let used = (object["status", "hard"]?.object ?? object["spec", "hard"]?.object ?? [:]).map {
                resource, hard in
                let amount = object["status", "used"]?[resource] ?? "0"
                return (resource, "\(resource): \(plainText(amount))/\(plainText(hard))")
            }
            let limits = used.filter { $0.0.hasPrefix("limits.") }.map(\.1).joined(separator: ", ")
            let requests = used.filter { !$0.0.hasPrefix("limits.") }.map(\.1).joined(separator: ", ")
            return [name(object), .string(requests), .string(limits), age(object, now)]
        },
    ]

    private static func count(_ object: JSONValue, _ member: String) -> Int { object[member]?.object?.count ?? 0 }

    private static func plainText(_ value: JSONValue) -> String { value.string ?? value.serialized() }

    private static let created = Layout("Name Created_At:date") { object, now in
        [name(object), object["metadata", "creationTimestamp"] ?? "<unknown>"]
    }

    private static let binding = Layout("Name Role Age Users* Groups* ServiceAccounts*") { object, now in
        let role = object["roleRef"]
        func subjects(_ kind: String) -> JSONValue {
            let all = (object["subjects"]?.array ?? []).filter { $0["kind"]?.string == kind }
            return .string(
                all.map { subject in
                    let name = subject["name"]?.string ?? ""
                    return subject["namespace"]?.string.map { "\($0)/\(name)" } ?? name
                }.joined(separator: ", "))
        }
        return [
            name(object), .string("\(role?["kind"]?.string ?? "")/\(role?["name"]?.string ?? "")"), age(object, now),
            subjects("User"), subjects("Group"), subjects("ServiceAccount"),
        ]
    }

    private static let node = Layout(
        "Name Status Roles Age Version Internal-IP* External-IP* OS-Image* Kernel-Version* Container-Runtime*"
    ) { node, now in
        let conditions = node["status", "conditions"]?.array ?? []
        let ready = conditions.first { $0["type"] == "Ready" }
        var status = ready.map { $0["status"] == "True" ? "Ready" : "NotReady" } ?? "Unknown"
        if node["spec", "unschedulable"]?.bool == true { status += ",SchedulingDisabled" }
        let prefix = "node-role.kubernetes.io/"
        let roles = (node["metadata", "labels"]?.object ?? [:]).keys.filter { $0.hasPrefix(prefix) }
            .map { String($0.dropFirst(prefix.count)) }
        func address(_ type: String) -> JSONValue {
            text((node["status", "addresses"]?.array ?? []).first { $0["type"]?.string == type }?["address"])
        }
        let info = node["status", "nodeInfo"]
        return [
            name(node), .string(status), list(roles), age(node, now), text(info?["kubeletVersion"], or: ""),
            address("InternalIP"), address("ExternalIP"), text(info?["osImage"], or: "<unknown>"),
            text(info?["kernelVersion"], or: "<unknown>"), text(info?["containerRuntimeVersion"], or: "<unknown>"),
        ]
    }

    /// Both shapes of an event are printed alike: the fields of one are read where the other's are missing.
    private static let event = Layout(
        "Last_Seen Type Reason Object Subobject* Source* Message First_Seen* Count:integer* Name*"
    ) { event, now in
        func time(_ names: String...) -> String? {
            names.lazy.compactMap { event[$0]?.string }.first
        }
        let series = event["series", "lastObservedTime"]?.string
        let first = time("firstTimestamp", "deprecatedFirstTimestamp", "eventTime")
        let last = series ?? time("lastTimestamp", "deprecatedLastTimestamp", "eventTime") ?? first
        let about = event["involvedObject"] ?? event["regarding"]
        let source = event["source"] ?? event["deprecatedSource"]
        let reporter =
            event["reportingComponent"]?.string ?? event["reportingController"]?.string ?? ""
        let component = source?["component"]?.string ?? reporter
        let host = source?["host"]?.string ?? event["reportingInstance"]?.string ?? ""
        let count =
            event["series", "count"] ?? event["count"] ?? event["deprecatedCount"] ?? 1
        return [
            .string(HumanDuration.since(last, now: now)), text(event["type"], or: ""), text(event["reason"], or: ""),
            .string("\((about?["kind"]?.string ?? "").lowercased())/\(about?["name"]?.string ?? "")"),
            text(about?["fieldPath"], or: ""), .string(host.isEmpty ? component : "\(component), \(host)"),
            text(event["message"] ?? event["note"], or: ""), .string(HumanDuration.since(first, now: now)), count,
            name(event),
        ]
    }

    private static func accessModes(_ modes: JSONValue?) -> JSONValue {
        let short = ["ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"]
        let given = Set((modes?.array ?? []).compactMap(\.string))
        return .string(
            ["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"].filter(given.contains)
                .compactMap { short[$0] }.joined(separator: ","))
    }

    private static let claim = Layout(
        "Name Status Volume Capacity Access_Modes StorageClass VolumeAttributesClass Age VolumeMode*"
    ) { claim, now in
        let spec = claim["spec"]
        let isDeleted = claim["metadata", "deletionTimestamp"] != nil
        let isBound = spec?["volumeName"]?.string ?? "" != ""
        return [
            name(claim), isDeleted ? "Terminating" : text(claim["status", "phase"], or: ""),
            text(spec?["volumeName"], or: ""),
            isBound ? text(claim["status", "capacity", "storage"], or: "") : "",
            isBound ? accessModes(claim["status", "accessModes"]) : "", text(spec?["storageClassName"], or: ""),
            text(spec?["volumeAttributesClassName"], or: "<unset>"), age(claim, now),
            text(spec?["volumeMode"], or: "<unset>"),
        ]
    }

    private static let volume = Layout(
        "Name Capacity Access_Modes Reclaim_Policy Status Claim StorageClass VolumeAttributesClass Reason Age VolumeMode*"
    ) { volume, now in
        let spec = volume["spec"]
        let claim = spec?["claimRef"].map { "\($0["namespace"]?.string ?? "")/\($0["name"]?.string ?? "")" } ?? ""
        let isDeleted = volume["metadata", "deletionTimestamp"] != nil
        return [
            name(volume), text(spec?["capacity"]?["storage"], or: ""), accessModes(spec?["accessModes"]),
            text(spec?["persistentVolumeReclaimPolicy"], or: ""),
            isDeleted ? "Terminating" : text(volume["status", "phase"], or: ""), .string(claim),
            text(spec?["storageClassName"], or: ""), text(spec?["volumeAttributesClassName"], or: "<unset>"),
            text(volume["status", "reason"], or: ""), age(volume, now), text(spec?["volumeMode"], or: "<unset>"),
        ]
    }
}
