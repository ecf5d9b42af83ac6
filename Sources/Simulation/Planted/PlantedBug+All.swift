extension PlantedBug {
    /// Every bug, by its class.
    public static let all: [PlantedBug] = stale + intermediate + unobserved + sleep

    private static let sleep: [PlantedBug] = [
        PlantedBug(
            "sleep-without-version", .staleState, "deployments", .forgetsScaleVersion,
            "Replicas are set whatever has become of the Deployment since it was read."),
        PlantedBug(
            "wake-without-version", .staleState, "deployments", .wakesWithoutVersion,
            "The gateway sets replicas to 1 whatever has become of the Deployment since it was read."),
        PlantedBug(
            "forward-while-draining", .unobservedState, "mlmodels", .forwardsWhileDraining,
            "The gateway sends requests to a revision that is about to sleep."),
        PlantedBug(
            "sleep-without-generation", .staleState, "mlmodels", .ignoresGenerations,
            "A gateway that has nothing to do counts as drained, whether it knows that it is to drain or not."),
        PlantedBug(
            "sleep-in-silence", .unobservedState, "mlmodels", .takesSilenceForRest,
            "A gateway that does not answer counts as drained."),
    ]

    private static let stale: [PlantedBug] = [
        PlantedBug(
            "stale-model", .staleState, "mlmodels", .readsCache, "The live look at a model is answered by its cache."),
        PlantedBug(
            "stale-jobs", .staleState, "jobs", .readsCache,
            "Whether a Job is lost is decided by the cache of Jobs."),
        PlantedBug(
            "stale-pods", .staleState, "pods", .readsCache,
            "A finished Job's metrics are read from the cache of pods, which may be behind that of Jobs."),
        PlantedBug(
            "stale-service", .staleState, "services", .readsCache, "Whether the name is free is asked of the cache."),
        PlantedBug(
            "delete-deployment-without-uid", .staleState, "deployments", .forgets(uidOf: "DELETE"),
            "A Deployment is deleted by its name alone."),
        PlantedBug(
            "delete-run-without-uid", .staleState, "trainingjobs", .forgets(uidOf: "DELETE"),
            "A TrainingJob is deleted by its name alone."),
        PlantedBug(
            "patch-service-without-uid", .staleState, "services", .forgets(uidOf: "PATCH"),
            "A Service is changed by its name alone."),
        PlantedBug(
            "patch-deployment-without-uid", .staleState, "deployments", .forgets(uidOf: "PATCH"),
            "A Deployment is changed and scaled by its name alone."),
        PlantedBug(
            "patch-job-without-uid", .staleState, "jobs", .forgets(uidOf: "PATCH"),
            "A Job is suspended, and given its lifetime, by its name alone."),
        PlantedBug(
            "model-status-without-version", .staleState, "mlmodels", .forgetsVersion,
            "A model's status names no resource version, and so wins over whatever was written meanwhile."),
        PlantedBug(
            "training-status-without-version", .staleState, "trainingjobs", .forgetsVersion,
            "A TrainingJob's status names no resource version, and so wins over whatever was written meanwhile."),
    ]

    private static let intermediate: [PlantedBug] = [
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
            "swallowed-model-status", .intermediateState, "mlmodels", .swallowsError(method: "PATCH"),
            "A model's status that was refused counts as written."),
        PlantedBug(
            "forgotten-run", .intermediateState, "trainingjobs", .assumesDoneAfterRestart(method: "POST"),
            "A restarted operator takes the TrainingJobs of the runs in the status for made."),
        PlantedBug(
            "forgotten-job", .intermediateState, "jobs", .assumesDoneAfterRestart(method: "POST"),
            "A restarted operator takes the Jobs of attempts for made."),
        PlantedBug(
            "forgotten-deployment", .intermediateState, "deployments", .assumesDoneAfterRestart(method: "POST"),
            "A restarted operator takes the Deployments of revisions for made."),
        PlantedBug(
            "forgotten-service", .intermediateState, "services", .assumesDoneAfterRestart(method: "POST"),
            "A restarted operator takes the Service for made."),
        PlantedBug(
            "forgotten-promotion", .intermediateState, "services", .assumesDoneAfterRestart(method: "PATCH"),
            "A restarted operator believes that the Service leads to the newest revision."),
        PlantedBug(
            "forgotten-clean-up", .intermediateState, "deployments", .assumesDoneAfterRestart(method: "DELETE"),
            "A restarted operator takes old Deployments for cleared away."),
        PlantedBug(
            "forgotten-training-status", .intermediateState, "trainingjobs", .assumesDoneAfterRestart(method: "PATCH"),
            "A restarted operator takes the status of a training for written."),
        PlantedBug(
            "forgotten-model-status", .intermediateState, "mlmodels", .assumesDoneAfterRestart(method: "PATCH"),
            "A restarted operator takes the status of a model for written."),
        PlantedBug(
            "forgotten-scale", .intermediateState, "deployments", .assumesDoneAfterRestart(method: "PATCH"),
            "A restarted operator takes Deployments for changed and scaled."),
        PlantedBug(
            "forgotten-suspension", .intermediateState, "jobs", .assumesDoneAfterRestart(method: "PATCH"),
            "A restarted operator takes Jobs for suspended, resumed and given their lifetime."),
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
            "gap-in-models", .unobservedState, "mlmodels", .resumesAtPresent,
            "The watch of models begins again at the present."),
        PlantedBug(
            "gap-in-jobs", .unobservedState, "jobs", .resumesAtPresent, "The watch of Jobs begins again at the present."
        ),
        PlantedBug(
            "gap-in-deployments", .unobservedState, "deployments", .resumesAtPresent,
            "The watch of Deployments begins again at the present."),
        PlantedBug(
            "gap-in-services", .unobservedState, "services", .resumesAtPresent,
            "The watch of Services begins again at the present."),
        PlantedBug(
            "deaf-to-jobs", .unobservedState, "jobs", .isDeafWhileItWrites,
            "What happens to a Job while a write is under way is lost."),
        PlantedBug(
            "deaf-to-deployments", .unobservedState, "deployments", .isDeafWhileItWrites,
            "What happens to a Deployment while a write is under way is lost."),
        PlantedBug(
            "list-keeps-services", .unobservedState, "services", .listNeverRemoves,
            "A Service that a later list lacks stays in the cache."),
        PlantedBug(
            "list-keeps-deployments", .unobservedState, "deployments", .listNeverRemoves,
            "A Deployment that a later list lacks stays in the cache."),
    ]
}
