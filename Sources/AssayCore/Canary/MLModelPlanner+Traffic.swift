import KubernetesModel

/// Who gets the requests, and who is kept running without any.
extension MLModelPlanner {
    /// As many revisions at most are kept warm.
    private static let mostWarm = 4

    /// What serves first, then its canary, then what is kept.
    mutating func shares(_ spec: MLModelSpec) -> [TrafficShare] {
        guard let serving = servingRevision else { return [] }
        let weight = canaryWeight(spec)
        var result = [TrafficShare(revision: serving.name, weight: 100 - weight, state: state(of: serving, spec))]
        if weight > 0, let rollout = status.rollout {
            result.append(TrafficShare(revision: rollout.revision, weight: weight, state: .canary))
        }
        return result + warm(beside: Set(result.map(\.revision)), spec)
    }

    private func canaryWeight(_ spec: MLModelSpec) -> Int {
        guard let rollout = status.rollout, rollout.state == .progressing else { return 0 }
        return spec.serving.rollout?.step(rollout.step)?.weight ?? 0
    }

    /// What has lost its requests: what served could be needed again, and any has some of them in hand.
    private mutating func warm(beside others: Set<String>, _ spec: MLModelSpec) -> [TrafficShare] {
        var result: [TrafficShare] = []
        for share in old.traffic where !others.contains(share.revision) && result.count < Self.mostWarm {
            guard let revision = status.revisions.last(where: { $0.name == share.revision }),
                let child = deployment(revision.deployment), child.replicas > 0, !child.metadata.isBeingDeleted
            else { continue }
            // What has become bad is not wanted again.
            let isWanted = revision.servingTime != nil && revision.state != .failed
            let delay = isWanted ? spec.serving.warmTime : MLModelPlan.settling
            let since = share.state == .warm ? share.since ?? now : now
            guard now - since < delay else { continue }
            look(after: delay - (now - since))
            result.append(TrafficShare(revision: share.revision, weight: 0, state: .warm))
        }
        return result
    }

    /// The Deployments of what is kept.
    var warmDeployments: Set<String> {
        let names = Set(status.traffic.filter { $0.state == .warm }.map(\.revision))
        return Set(status.revisions.filter { names.contains($0.name) }.map(\.deployment))
    }

    /// A spec that cannot stand has no canary either; what serves gets its requests.
    mutating func withdrawCanary() {
        guard status.rollout != nil else { return }
        status.rollout = nil
        guard let name = status.revision, status.traffic.contains(where: { $0.state == .canary }) else { return }
        let state = old.traffic.first { $0.revision == name }?.state ?? .serving
        share([TrafficShare(revision: name, weight: 100, state: state)])
    }
}
