import JSON
import KubernetesModel

/// What leads users of a model to the gateway.
enum GatewayRendering {
    static let manager = "assay.dev"

    /// The Service of the model's name without a selector: which pods it leads to is said by us alone.
    static func service(of model: MLModel, port: Int) -> JSONValue {
        var result = ServingRendering.service(of: model, selector: [:], port: port)
        result["spec", "selector"] = nil
        return result
    }

    /// The endpoints of that Service: the gateway's pods, at the model's port. A slice for each family of addresses, or what old
    /// servers have in their place.
    static func leads(of model: MLModel, port: Int, gateway: GatewayObservation) -> [ServiceLead.Wanted] {
        let pods = gateway.pods.filter { !$0.hasEnded && !$0.addresses.isEmpty }
            .sorted { $0.metadata.name < $1.metadata.name }
        guard gateway.servesSlices else { return [endpoints(of: model, port: port, pods)] }
        return ["IPv4", "IPv6"].compactMap { family in
            let members = pods.compactMap { pod in
                pod.addresses.first { isIPv6($0) == (family == "IPv6") }.map { endpoint(pod, $0) }
            }
            // Without a pod there is a slice all the same: that nobody is there is said, too.
            guard !members.isEmpty || family == "IPv4" else { return nil }
            return slice(of: model, family, members, port: port)
        }
    }

    /// Nobody but the gateway reaches the model's serving pods. What else may is said by further policies, for they add up.
    static func policy(of model: MLModel, gateway: GatewayObservation) -> JSONValue {
        let name = ChildName.make(
            prefix: model.metadata.name, suffix: "gateway",
            identity: [model.metadata.namespace ?? "", model.metadata.name, model.metadata.uid, "policy"])
        return [
            "apiVersion": .string(ResourceType.networkPolicies.apiVersion),
            "kind": .string(ResourceType.networkPolicies.kind), "metadata": metadata(of: model, name: name),
            "spec": [
                "podSelector": [
                    "matchLabels": JSONValue([Label.model: model.metadata.name]),
                    "matchExpressions": [["key": .string(Label.revision), "operator": "Exists"]],
                ], "policyTypes": ["Ingress"],
                "ingress": [
                    [
                        "from": [
                            [
                                "namespaceSelector": [
                                    "matchLabels": ["kubernetes.io/metadata.name": .string(gateway.namespace)]
                                ], "podSelector": ["matchLabels": JSONValue(GatewayPod.labels)],
                            ]
                        ]
                    ]
                ],
            ],
        ]
    }

    private static func isIPv6(_ address: String) -> Bool { address.contains(":") }

    private static func endpoint(_ pod: GatewayPod, _ address: String) -> JSONValue {
        let isGoing = pod.metadata.isBeingDeleted
        return [
            "addresses": [.string(address)],
            "conditions": [
                "ready": .bool(pod.isReady && !isGoing), "serving": .bool(pod.isReady), "terminating": .bool(isGoing),
            ],
        ]
    }

    private static func slice(
        of model: MLModel, _ family: String, _ members: [JSONValue], port: Int
    ) -> ServiceLead.Wanted {
        let name = ChildName.make(
            prefix: model.metadata.name, suffix: "gateway",
            identity: [model.metadata.namespace ?? "", model.metadata.name, model.metadata.uid, family])
        var metadata = metadata(of: model, name: name)
        metadata["labels", EndpointSliceObservation.serviceLabel] = .string(model.metadata.name)
        metadata["labels", "endpointslice.kubernetes.io/managed-by"] = .string(manager)
        return ServiceLead.Wanted(
            type: .endpointSlices, name: name, metadata: metadata,
            content: [
                "addressType": .string(family), "endpoints": .array(members),
                "ports": [["name": "http", "port": JSONValue(port), "protocol": "TCP"]],
            ])
    }

    private static func endpoints(of model: MLModel, port: Int, _ pods: [GatewayPod]) -> ServiceLead.Wanted {
        let ready = pods.filter { $0.isReady && !$0.metadata.isBeingDeleted }.compactMap(\.addresses.first)
        let subset: JSONValue = [
            "addresses": .array(ready.map { ["ip": .string($0)] }),
            "ports": [["name": "http", "port": JSONValue(port), "protocol": "TCP"]],
        ]
        return ServiceLead.Wanted(
            type: .endpoints, name: model.metadata.name, metadata: metadata(of: model, name: model.metadata.name),
            content: ["subsets": ready.isEmpty ? [] : [subset]])
    }

    private static func metadata(of model: MLModel, name: String) -> JSONValue {
        var result: JSONValue = [
            "name": .string(name),
            "labels": JSONValue([Label.managedBy: Label.manager, Label.model: model.metadata.name]),
            "ownerReferences": [OwnerReference(controller: model.metadata, of: MLModel.resourceType).json],
        ]
        result["namespace"] = JSONValue(model.metadata.namespace)
        return result
    }
}

extension ServiceLead {
    /// One as it ought to be.
    struct Wanted {
        var type: ResourceType
        var name: String
        var metadata: JSONValue
        var content: JSONValue

        var object: JSONValue {
            var result: JSONValue = [
                "apiVersion": .string(type.apiVersion), "kind": .string(type.kind), "metadata": metadata,
            ]
            for (field, value) in content.object ?? [:] { result[field] = value }
            return result
        }

        func isCovered(by lead: ServiceLead) -> Bool {
            let labels = metadata["labels"]?.object ?? [:]
            return lead.content == content && labels.allSatisfy { lead.metadata.labels[$0.key] == $0.value.string }
        }
    }
}
