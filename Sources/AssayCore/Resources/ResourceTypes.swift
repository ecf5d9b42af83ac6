import KubernetesModel

extension ResourceType {
    public static let trainingJobs = ResourceType(
        group: "assay.dev", version: "v1alpha1", plural: "trainingjobs", kind: "TrainingJob")
    public static let mlModels = ResourceType(
        group: "assay.dev", version: "v1alpha1", plural: "mlmodels", kind: "MLModel")
}

/// The labels and annotations that the operator sets on its children or reads.
public enum Label {
    /// By this label alone built-in kinds are watched.
    public static let managedBy = "app.kubernetes.io/managed-by"
    public static let manager = "assay"
    public static let trainingJob = "assay.dev/trainingjob"
    public static let step = "assay.dev/step"
    public static let model = "assay.dev/model"
    public static let revision = "assay.dev/revision"
    /// The revision that something is made to prove; pods with it may reach the candidate.
    public static let proof = "assay.dev/proof"
    /// On a service account: pods of this namespace's models may use it.
    public static let allowUse = "assay.dev/allow-use"
    /// Flux's request to reconcile, echoed in `status.lastHandledReconcileAt`.
    public static let requestedAt = "reconcile.fluxcd.io/requestedAt"
    /// Flux's request to do it anew, echoed in `status.lastHandledForceAt`.
    public static let forceAt = "reconcile.fluxcd.io/forceAt"
    /// On a model: the revision that a person lets serve.
    public static let approve = "assay.dev/approve"
    /// On Deployments: the generation of the traffic in which one that was about to sleep was called back.
    public static let calledBack = "assay.dev/called-back"
    /// Kueue's, on Jobs.
    public static let queueName = "kueue.x-k8s.io/queue-name"
    public static let priorityClass = "kueue.x-k8s.io/priority-class"
    /// The Job controller's, on the pods of Indexed Jobs.
    public static let completionIndex = "batch.kubernetes.io/job-completion-index"
    public static let defaultContainer = "kubectl.kubernetes.io/default-container"
}

/// What holds back the deletion of an object.
public enum Finalizer {
    /// Of MLModels that say so: until their artifacts are removed.
    public static let artifacts = "assay.dev/artifacts"
}

/// The field managers that the operator writes under.
public enum FieldManager {
    public static let spec = "assay"
    public static let status = "assay-status"
    public static let scaler = "assay-scaler"
}
