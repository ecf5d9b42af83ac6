import AssayCore
import Concurrency
import ControllerRuntime
import JSON
import KubernetesClient
import KubernetesModel

extension GatewayPod: StoredObject {
    public static var fields: JSONFields? { ObjectMeta.fields.union(JSONFields("status")) }
}
extension EndpointSliceObservation: StoredObject {
    public static var fields: JSONFields? { ObjectMeta.fields.union(JSONFields("addressType", "endpoints", "ports")) }
}
extension EndpointsObservation: StoredObject {
    public static var fields: JSONFields? { ObjectMeta.fields.union(JSONFields("subsets")) }
}

/// What is watched beside the rest where requests go through a gateway: its pods, and what leads Services to them.
struct GatewayCaches: Sendable {
    let namespace: String
    let pods = Store<GatewayPod>()
    let slices = Store<EndpointSliceObservation>()
    let endpoints = Store<EndpointsObservation>()
    /// Who has each port of the gateway, and since when.
    private let ports = Locked<[Int: [ObjectKey: ObjectMeta]]>([:])
    /// Whether the server has discovery/v1; nil until that is known.
    private let servesSlices = Locked<Bool?>(nil)

    /// Caches that nothing fills yet.
    init(namespace: String) { self.namespace = namespace }

    init(_ configuration: OperatorConfiguration.Gateway, in program: inout Operator, namespace: String?) {
        self.init(namespace: configuration.namespace)
        let client = program.client
        let known = servesSlices
        @Sendable func serves() async throws(KubernetesError) -> Bool {
            if let known = known.withLock({ $0 }) { return known }
            let answer = try await client.serves(.endpointSlices)
            known.withLock { $0 = answer }
            return answer
        }
        program.watch(into: pods, namespace: configuration.namespace, labelSelector: configuration.selector)
        let ours = Caches.managedSelector
        program.watch(into: slices, namespace: namespace, labelSelector: ours) { () throws(KubernetesError) in
            try await serves()
        }
        // Where there are slices, the older kind is deprecated.
        program.watch(into: endpoints, namespace: namespace, labelSelector: ours) { () throws(KubernetesError) in
            try await !serves()
        }
    }

    /// Puts into the queue whatever model a change concerns.
    func route(_ models: WorkQueue, _ caches: Caches) {
        slices.enqueueControllers(.mlModels, into: models)
        endpoints.enqueueControllers(.mlModels, into: models)
        pods.subscribe { change in
            // Every model is led to the gateway's pods; of what changes in them only this matters.
            if case .modified(let old, let new) = change, old.isReady == new.isReady, old.addresses == new.addresses,
                old.hasEnded == new.hasEnded, old.metadata.isBeingDeleted == new.metadata.isBeingDeleted
            {
                return
            }
            for model in caches.models.all() where model.status.value?.gatewayPort != nil {
                models.add(model.metadata.key)
            }
        }
        let ports = ports
        caches.models.subscribe { change in
            for key in ports.withLock({ Self.note(change, in: &$0) }) { models.add(key) }
        }
    }

    /// Returns the other models that are concerned.
    private static func note(
        _ change: StoreChange<MLModel>, in ports: inout [Int: [ObjectKey: ObjectMeta]]
    ) -> [ObjectKey] {
        func port(_ model: MLModel) -> Int? { model.status.value?.gatewayPort }
        let (old, new): (MLModel?, MLModel?) =
            switch change {
            case .added(let model): (nil, model)
            case .modified(let old, let new): (old, new)
            case .deleted(let model): (model, nil)
            }
        guard old.flatMap(port) != new.flatMap(port) else { return [] }
        if let old, let number = port(old) {
            ports[number]?[old.metadata.key] = nil
            if ports[number]?.isEmpty == true { ports[number] = nil }
        }
        guard let new, let number = port(new) else { return [] }
        ports[number, default: [:]][new.metadata.key] = new.metadata
        return (ports[number] ?? [:]).keys.filter { $0 != new.metadata.key }
    }

    // MARK: Observing

    func observe(
        _ model: MLModel, live: Bool, _ caches: Caches, _ client: KubernetesClient
    ) async throws(KubernetesError) -> GatewayObservation {
        let hasSlices = servesSlices.withLock { $0 } ?? true
        var result = GatewayObservation(namespace: namespace, pods: pods.all(), servesSlices: hasSlices)
        result.takenPorts = takenPorts(for: model)
        let key = model.metadata.key
        guard live else {
            result.leads =
                slices.children(of: model.metadata).map(ServiceLead.init)
                + endpoints.children(of: model.metadata).map(ServiceLead.init)
            result.policies = caches.networkPolicies.children(of: model.metadata).filter(\.isOfGateway)
            return result
        }
        if hasSlices {
            let ofService = ListOptions(labelSelector: "\(EndpointSliceObservation.serviceLabel)=\(key.name)")
            result.leads = try await client.objects(
                .endpointSlices, namespace: key.namespace, ofService, EndpointSliceObservation.init(json:)
            ).map(ServiceLead.init)
        }
        let ofModel = ListOptions(labelSelector: "\(Caches.managedSelector),\(Label.model)=\(key.name)")
        result.policies = try await client.objects(
            .networkPolicies, namespace: key.namespace, ofModel, NetworkPolicyObservation.init(json:)
        ).filter { $0.isOfGateway && $0.metadata.controller?.uid == model.metadata.uid }
        // Also what a controller has left of a Service that had a selector.
        if !hasSlices || model.status.value?.gatewaySince != nil,
            let found = try await client.object(.endpoints, key, EndpointsObservation.init(json:))
        {
            result.leads.append(ServiceLead(found))
        }
        return result
    }

    private func takenPorts(for model: MLModel) -> Set<Int> {
        let key = model.metadata.key
        return ports.withLock { ports in
            if let own = model.status.value?.gatewayPort {
                let isOlder = (ports[own] ?? [:]).contains {
                    $0.key != key && GatewayPort.isBefore($0.value, model.metadata)
                }
                guard isOlder else { return [] }
            }
            return Set(ports.filter { $0.value.contains { $0.key != key } }.keys)
        }
    }
}
