import AssayCore
import ControllerRuntime
import KubernetesModel

extension Caches {
    /// Puts into the queues whatever object a change concerns: the object itself, or the one that owns what changed.
    func route(trainingJobs trainingJobQueue: WorkQueue, models modelQueue: WorkQueue) {
        trainingJobs.enqueue(into: trainingJobQueue)
        trainingJobs.enqueueControllers(.mlModels, into: modelQueue) { change in
            guard case .modified(let old, let new) = change else { return true }
            return !new.differsInProgressAlone(from: old)
        }
        models.enqueue(into: modelQueue)
        jobs.enqueueControllers(.trainingJobs, into: trainingJobQueue)
        // Those that write records, and those that prove.
        jobs.enqueueControllers(.mlModels, into: modelQueue)
        deployments.enqueueControllers(.mlModels, into: modelQueue)
        services.enqueueControllers(.mlModels, into: modelQueue)
        networkPolicies.enqueueControllers(.mlModels, into: modelQueue)
        pods.subscribe { change in
            // Pods belong to Jobs and ReplicaSets; the labels name whom they concern.
            let metadata = change.object.metadata
            if let name = metadata.labels[Label.trainingJob] {
                trainingJobQueue.add(ObjectKey(namespace: metadata.namespace, name: name))
            }
            if let name = metadata.labels[Label.model] {
                modelQueue.add(ObjectKey(namespace: metadata.namespace, name: name))
            }
        }
    }
}
