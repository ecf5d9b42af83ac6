import JSON
import KubernetesModel

/// The plan of an MLModel: train, judge, roll out. What serves goes on serving until its successor has passed
/// everything.
public enum MLModelPlan {
    /// How long the pods of the revision before go on after the Service has moved, for requests under way and for nodes
    /// that learn of the move late.
    static let settling: Duration = .seconds(5)
    /// How long a Deployment that no status tells of is left alone: another operator, whose place we take or who takes
    /// ours, may just have made it.
    static let overlap: Duration = .seconds(30)
    /// How much later than the Deployment's own controller we give up on it.
    static let deadlineGrace: Duration = .seconds(30)

    public static func plan(_ observed: MLModelObservation, now: Timestamp) -> Plan {
        let metadata = observed.model.metadata
        guard !metadata.isBeingDeleted || metadata.finalizers.contains(Finalizer.artifacts) else { return Plan() }
        guard let status = observed.model.status.value else {
            guard metadata.isBeingDeleted else { return Plan.unreadableStatus }
            return MLModelPlanner(observed, status: MLModelStatus(), now: now).letGoUnread()
        }
        var planner = MLModelPlanner(observed, status: status, now: now)
        return metadata.isBeingDeleted ? planner.planDeletion() : planner.plan()
    }

    /// The status and events after an action of the plan failed; it has no actions.
    public static func statusAfter(_ failure: ActionFailure, _ observed: MLModelObservation, now: Timestamp) -> Plan {
        guard failure.isRejection || failure.isForbidden, let status = observed.model.status.value else {
            return Plan()
        }
        var planner = MLModelPlanner(observed, status: status, now: now)
        return planner.planAfter(failure)
    }

    /// The names of TrainingJobs that the plan asks about, beside those that the model controls.
    public static func trainingJobNames(of model: MLModel) -> [String] {
        (model.status.value?.runs ?? []).flatMap(\.followedJobs)
    }

    /// The names of Deployments that the plan asks about, beside those that the model controls.
    public static func deploymentNames(of model: MLModel) -> [String] {
        let recorded = (model.status.value?.revisions ?? []).filter { $0.state != .superseded }.map(\.deployment)
        guard let next = candidate(of: model)?.deployment, !recorded.contains(next) else { return recorded }
        return recorded + [next]
    }

    /// Where the artifacts of the newest run are; nil where nothing says so yet.
    public static func store(of model: MLModel) -> ArtifactStoreSpec? {
        model.spec.value?.training.spec.artifactStore ?? model.status.value?.runs.last?.artifactStore
    }

    /// What the spec's run is served as, once it has trained.
    static func candidate(of model: MLModel) -> Revision? {
        guard let spec = model.spec.value, let runs = model.status.value?.runs,
            let run = runs.last(where: { $0.trainingHash == spec.training.hash && $0.phase == .trained && !$0.isLeft })
        else { return nil }
        let pinning = ImagePinning(serving: spec.serving, training: spec.training.spec, trained: run.images)
        return Revision(of: run, model: model.metadata, images: pinning.images, spec: spec, fetchImage: nil)
    }
}
