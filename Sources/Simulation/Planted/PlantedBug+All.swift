extension PlantedBug {
    /// Every bug, by its class.
    public static let all: [PlantedBug] = stale + intermediate + unobserved

    private static let stale: [PlantedBug] = [
        PlantedBug(
            "stale-model", .staleState, "mlmodels", .readsCache, "The live look at a model is answered by its cache."),
        PlantedBug(
            "stale-trainingjobs", .staleState, "trainingjobs", .readsCache,
            "The live look at TrainingJobs is answered by their cache."),
        PlantedBug(
            "stale-jobs", .staleState, "jobs", .readsCache,
            "Whether a Job is lost is decided by the cache of Jobs."),
        PlantedBug(
            "stale-pods", .staleState, "pods", .readsCache,
            "A finished Job's metrics are read from the cache of pods, which may be behind that of Jobs."),
        PlantedBug(
            "stale-deployments", .staleState, "deployments", .readsCache,
            "Promotion and clean-up trust the cache of Deployments."),
        PlantedBug(
            "stale-service", .staleState, "services", .readsCache, "Whether the name is free is asked of the cache."),
        PlantedBug(
            "model-status-forced", .staleState, "mlmodels", .forcesConflict,
            "A model's status that meets a conflict is sent again with the new version and the old content."),
        PlantedBug(
            "training-status-forced", .staleState, "trainingjobs", .forcesConflict,
            "A TrainingJob's status that meets a conflict is sent again with the new version and the old content."),
        PlantedBug(
            "delete-without-uid", .staleState, "deployments", .forgets(uidOf: "DELETE"),
            "A Deployment is deleted by its name alone."),
        PlantedBug(
            "patch-without-uid", .staleState, "services", .forgets(uidOf: "PATCH"),
            "A Service is changed by its name alone."),
        PlantedBug(
            "status-without-version", .staleState, "mlmodels", .forgetsVersion,
            "A model's status names no resource version, and so wins over whatever was written meanwhile."),
    ]

    private static let intermediate: [PlantedBug] = [
        PlantedBug(
            "lost-run", .intermediateState, "trainingjobs", .trustsLostAnswer(method: "POST"),
            "A TrainingJob whose creation got no answer counts as made."),
        PlantedBug(
            "lost-job", .intermediateState, "jobs", .trustsLostAnswer(method: "POST"),
            "A Job whose creation got no answer counts as made."),
        PlantedBug(
            "lost-deployment", .intermediateState, "deployments", .trustsLostAnswer(method: "POST"),
            "A Deployment whose creation got no answer counts as made."),
        PlantedBug(
            "lost-model-status", .intermediateState, "mlmodels", .trustsLostAnswer(method: "PATCH"),
            "A model's status that got no answer counts as written."),
        PlantedBug(
            "swallowed-run", .intermediateState, "trainingjobs", .swallowsError(method: "POST"),
            "A TrainingJob that the server could not make counts as made."),
        PlantedBug(
            "swallowed-job", .intermediateState, "jobs", .swallowsError(method: "POST"),
            "A Job that the server could not make counts as made."),
        PlantedBug(
            "swallowed-service", .intermediateState, "services", .swallowsError(method: "POST"),
            "A Service that the server could not make counts as made, and the status says that it serves."),
        PlantedBug(
            "swallowed-training-status", .intermediateState, "trainingjobs", .swallowsError(method: "PATCH"),
            "A TrainingJob's status that was refused counts as written."),
        PlantedBug(
            "swallowed-deletion", .intermediateState, "deployments", .swallowsError(method: "DELETE"),
            "A Deployment whose deletion was refused counts as deleted."),
        PlantedBug(
            "forgotten-run", .intermediateState, "trainingjobs", .assumesDoneAfterRestart(method: "POST"),
            "A restarted operator takes the TrainingJob of a run in the status for made."),
        PlantedBug(
            "forgotten-job", .intermediateState, "jobs", .assumesDoneAfterRestart(method: "POST"),
            "A restarted operator takes the Job of an attempt for made."),
        PlantedBug(
            "forgotten-clean-up", .intermediateState, "deployments", .assumesDoneAfterRestart(method: "DELETE"),
            "A restarted operator takes the old Deployment for cleared away."),
    ]

    private static let unobserved: [PlantedBug] = [
        PlantedBug(
            "unseen-service-deletion", .unobservedState, "services", .missesDeletions,
            "The deletion of a Service is not watched."),
        PlantedBug(
            "unseen-deployment-deletion", .unobservedState, "deployments", .missesDeletions,
            "The deletion of a Deployment is not watched."),
        PlantedBug(
            "unseen-job-deletion", .unobservedState, "jobs", .missesDeletions, "The deletion of a Job is not watched."),
        PlantedBug(
            "first-job-event", .unobservedState, "jobs", .readsFirstOfBatch,
            "Of a Job's changes that come together only the first is looked at."),
        PlantedBug(
            "first-deployment-event", .unobservedState, "deployments", .readsFirstOfBatch,
            "Of a Deployment's changes that come together only the first is looked at."),
        PlantedBug(
            "first-model-event", .unobservedState, "mlmodels", .readsFirstOfBatch,
            "Of a model's changes that come together only the first is looked at."),
        PlantedBug(
            "gap-in-models", .unobservedState, "mlmodels", .resumesAtPresent,
            "The watch of models begins again at the present."),
        PlantedBug(
            "gap-in-trainingjobs", .unobservedState, "trainingjobs", .resumesAtPresent,
            "The watch of TrainingJobs begins again at the present."),
        PlantedBug(
            "gap-in-jobs", .unobservedState, "jobs", .resumesAtPresent, "The watch of Jobs begins again at the present."
        ),
        PlantedBug(
            "gap-in-deployments", .unobservedState, "deployments", .resumesAtPresent,
            "The watch of Deployments begins again at the present."),
        PlantedBug(
            "list-keeps-services", .unobservedState, "services", .listNeverRemoves,
            "A Service that a later list lacks stays in the cache."),
        PlantedBug(
            "list-keeps-jobs", .unobservedState, "jobs", .listNeverRemoves,
            "A Job that a later list lacks stays in the cache."),
    ]
}
