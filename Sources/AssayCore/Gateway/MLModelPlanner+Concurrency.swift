import KubernetesModel

/// How the pods of the gateway share what each replica may have.
extension MLModelPlanner {
    /// Says how much each may give from now on. A change of that makes another generation of the traffic, so that who says that it
    /// routes by the status can be believed to keep to it.
    mutating func divideConcurrency(_ spec: MLModelSpec) {
        guard let limit = spec.serving.concurrencyLimit else {
            status.concurrency = []
            return
        }
        guard let gateway = observed.gateway else { return }
        let reports = gateway.scaling?.reports ?? [:]
        let gateways = gateway.pods.filter { !$0.hasEnded }.sorted { $0.metadata.name < $1.metadata.name }.map { pod in
            let report = reports[pod.metadata.uid]
            let isOfNow = report?.generation == old.trafficGeneration && old.trafficGeneration != nil
            return ConcurrencyDivision.Gateway(
                name: pod.metadata.name, takesRequests: pod.isReady && !pod.metadata.isBeingDeleted,
                reported: isOfNow ? report?.concurrency : nil)
        }
        let uid = model.metadata.uid
        let division = ConcurrencyDivision(limit: limit) { ContentHash(of: [uid, $0]).hex }
        let (shares, isSettled) = division.next(old.concurrency, among: gateways)
        if !isSettled { look(after: .seconds(1)) }
        status.concurrency = shares
        let isSame =
            shares.map(\.gateway) == old.concurrency.map(\.gateway)
            && shares.map(\.limit) == old.concurrency.map(\.limit)
        if !isSame, status.trafficGeneration == old.trafficGeneration {
            status.trafficGeneration = (old.trafficGeneration ?? 0) + 1
        }
    }

    /// The pods of the gateway, as users are led to them: only to those that have heard that they have a share.
    func ledTo(_ gateway: GatewayObservation) -> GatewayObservation {
        guard !status.concurrency.isEmpty else { return gateway }
        let wanted = Set(status.concurrency.filter(\.isWanted).map(\.gateway))
        let heard = old.concurrency.isEmpty ? wanted : Set(old.concurrency.map(\.gateway))
        var result = gateway
        for index in result.pods.indices where !wanted.intersection(heard).contains(result.pods[index].metadata.name) {
            result.pods[index].isReady = false
        }
        return result
    }
}
