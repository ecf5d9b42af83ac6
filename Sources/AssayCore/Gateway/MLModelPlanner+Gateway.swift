import JSON
import KubernetesModel

/// The way of requests through the gateway: the model's port there, which revision gets them, and a Service that leads to it.
///
/// Whoever moves from one way to the other loses no request: the new way stands before the Service is led to it, and the old one
/// for a while after.
extension MLModelPlanner {
    /// How long the gateway is given to hear of a port before users are led to it.
    static let openingTime: Duration = .seconds(3)
    /// How long the old way stands after the Service has been led elsewhere: nodes hear of it late, and connections are kept.
    static let closingTime: Duration = .seconds(60)

    /// What is led through a gateway stays so, even where the operator knows of none any more, until its spec says otherwise.
    func isRouted(_ spec: MLModelSpec) -> Bool {
        spec.serving.gateway != false && (observed.gateway != nil || status.gatewayPort != nil)
    }

    /// The model's port, from the beginning on, and who gets its requests.
    mutating func route(_ spec: MLModelSpec) {
        guard isRouted(spec) else {
            // Users are led straight to the pods from now on.
            for policy in observed.gateway?.policies ?? [] { delete(.networkPolicies, policy.metadata) }
            leaveGateway()
            return
        }
        status.gatewayUntil = nil
        if let taken = observed.gateway?.takenPorts, status.gatewayPort.map(taken.contains) ?? true {
            status.gatewayPort = GatewayPort.choose(for: model.metadata, taken: taken)
            // Users who are led elsewhere so far are led here when it is open to them.
            status.gatewaySince = observed.service == nil ? nil : now.truncatedToSeconds
        }
        share(shares(spec))
        divideConcurrency(spec)
    }

    /// Says who gets the requests from now on.
    mutating func share(_ traffic: [TrafficShare]) {
        let isSame =
            traffic.map(\.revision) == old.traffic.map(\.revision)
            && traffic.map(\.weight) == old.traffic.map(\.weight) && traffic.map(\.state) == old.traffic.map(\.state)
        guard !isSame else { return }
        status.trafficGeneration = (old.trafficGeneration ?? 0) + 1
        status.traffic = traffic.map { share in
            var result = share
            let before = old.traffic.first { $0.revision == share.revision && $0.state == share.state }
            result.since = before?.since ?? now.truncatedToSeconds
            return result
        }
    }

    /// The gateway serves on until nobody is led to it any more.
    private mutating func leaveGateway() {
        guard status.gatewayPort != nil else { return }
        guard mayLeadToPods else {
            share(
                servingRevision.map { [TrafficShare(revision: $0.name, weight: 100, state: stateOnLeaving($0))] } ?? [])
            look(after: MLModelPlan.settling)
            return
        }
        let until = status.gatewayUntil ?? (now.truncatedToSeconds + Self.closingTime)
        status.gatewayUntil = until
        guard now < until else {
            (status.gatewayPort, status.gatewaySince, status.gatewayUntil) = (nil, nil, nil)
            // Its generation goes on, should there be traffic again: no gateway may take a new one for an old one.
            status.traffic = []
            return
        }
        share(servingRevision.map { [TrafficShare(revision: $0.name, weight: 100, state: stateOnLeaving($0))] } ?? [])
        look(after: until - now)
    }

    /// Users who come through the gateway are not led to pods that are not there: what sleeps is woken first.
    var mayLeadToPods: Bool {
        guard status.gatewayPort != nil, let service = observed.service, let revision = servingRevision,
            service.spec["selector"]?.object?.isEmpty ?? true
        else { return true }
        return deployment(revision.deployment).map { $0.availableReplicas > 0 } ?? false && isAwakeForGood(revision)
    }

    /// What a Deployment says of pods that sleep has just taken may be of before: who has slept is believed awake after a while.
    private func isAwakeForGood(_ revision: Revision) -> Bool {
        guard let share = old.traffic.first(where: { $0.revision == revision.name }) else { return true }
        guard let since = share.since, let serving = revision.servingTime, since > serving else { return true }
        return share.state == .serving && now - since >= MLModelPlan.settling
    }

    /// Leads the Service to the gateway, and nowhere else.
    mutating func leadToGateway(_ revision: Revision) {
        guard let gateway = observed.gateway, let port = status.gatewayPort else { return }
        // What stands in the status that is being written nobody can have heard of.
        let wait =
            old.gatewayPort == port
            ? status.gatewaySince.map { Self.openingTime - (now - $0) } ?? .zero : Self.openingTime
        guard wait <= .zero else {
            look(after: wait)
            // Until then users are led where they were.
            if observed.service?.spec["selector"]?.object?.isEmpty == false {
                lead(to: ServingRendering.service(of: model, revision))
            }
            return
        }
        // Nor does it know yet whom to send the first requests to.
        guard observed.service != nil || !old.traffic.isEmpty else {
            look(after: .seconds(1))
            return
        }
        lead(to: GatewayRendering.service(of: model, port: port))
        for wanted in GatewayRendering.leads(of: model, port: port, gateway: ledTo(gateway)) { keep(wanted, gateway) }
        clearStale(gateway)
        // Until then connections of before may be in use. Servers that have no slices do not label namespaces by name either.
        if status.gatewaySince == nil, gateway.servesSlices { guardPods(gateway) }
    }

    private mutating func guardPods(_ gateway: GatewayObservation) {
        let wanted = GatewayRendering.policy(of: model, gateway: gateway)
        let known = gateway.policies.first { $0.metadata.name == wanted["metadata", "name"]?.string }
        if let known, Coverage.covers(known.spec, wanted["spec"] ?? [:]) { return }
        guard observed.isLive else {
            result.needsLiveObservation = true
            return
        }
        // One that somebody has changed is made anew.
        if let known {
            delete(.networkPolicies, known.metadata)
        } else {
            result.actions.append(.create(.networkPolicies, wanted, manager: FieldManager.spec))
        }
    }

    private mutating func keep(_ wanted: ServiceLead.Wanted, _ gateway: GatewayObservation) {
        let known = gateway.leads.first { $0.type == wanted.type && $0.metadata.name == wanted.name }
        if let known, wanted.isCovered(by: known) { return }
        // What is not in the cache may be there.
        guard observed.isLive else {
            result.needsLiveObservation = true
            return
        }
        guard let known else {
            result.actions.append(.create(wanted.type, wanted.object, manager: FieldManager.spec))
            return
        }
        // The Endpoints of a Service that had a selector are the controller's leavings, and taken over.
        guard !known.metadata.isBeingDeleted, known.metadata.controller?.uid ?? model.metadata.uid == model.metadata.uid
        else { return }
        var object = wanted.object
        object["metadata", "uid"] = .string(known.metadata.uid)
        result.actions.append(.apply(wanted.type, known.metadata.key, object, manager: FieldManager.spec))
    }

    /// What controllers have written for the Service while it had a selector stays when it has none. They may just be at it, so
    /// it is looked for more than once.
    private mutating func clearStale(_ gateway: GatewayObservation) {
        guard gateway.servesSlices, let since = status.gatewaySince else { return }
        guard now - since < Self.closingTime else {
            status.gatewaySince = nil
            return
        }
        look(after: .seconds(10))
        guard observed.isLive else {
            result.needsLiveObservation = true
            return
        }
        for lead in gateway.leads where lead.metadata.controller?.uid != model.metadata.uid {
            guard !lead.metadata.isBeingDeleted else { continue }
            let action = Action.delete(
                lead.type, lead.metadata.key, uid: lead.metadata.uid, propagation: .background)
            result.actions.append(action)
        }
    }

    /// Takes away what led to the gateway, once nobody needs it.
    mutating func leadFromGateway() {
        guard let gateway = observed.gateway, status.gatewayPort == nil else { return }
        for lead in gateway.leads where lead.type == .endpointSlices { delete(lead.type, lead.metadata) }
    }

    mutating func look(after wait: Duration) {
        result.requeueAfter = min(result.requeueAfter ?? wait, wait)
    }
}

extension MLModelSpec.Serving {
    /// What of it cannot be without a gateway, and why; nil where nothing is.
    var gatewayNeed: String? {
        if autoscaling != nil { return "spec.serving.autoscaling: goes by what the gateway measures" }
        if auth != nil { return "spec.serving.auth: it is the gateway that asks who calls" }
        if concurrencyLimit != nil {
            return "spec.serving.containerConcurrency: is what the gateway lets a replica have"
        }
        return nil
    }
}
