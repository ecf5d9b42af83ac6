import AssayCore
import ControllerRuntime
import KubernetesModel

extension Caches {
    /// Puts into the queues whatever object a change concerns: the object itself, or the one that owns what changed.
    func route(trainingJobs trainingJobQueue: WorkQueue, models modelQueue: WorkQueue) {
        // The first sight of every object after a start gives way to what somebody has just changed.
        let (trainingJobs, models) = (trainingJobs, models)
        trainingJobs.subscribe { change in
            trainingJobQueue.add(change.key, priority: trainingJobs.hasSynced ? .normal : .background)
            Self.addOwner(of: change.object.metadata, .mlModels, to: modelQueue)
        }
        models.subscribe { change in
            modelQueue.add(change.key, priority: models.hasSynced ? .normal : .background)
        }
        jobs.subscribe { change in Self.addOwner(of: change.object.metadata, .trainingJobs, to: trainingJobQueue) }
        deployments.subscribe { change in Self.addOwner(of: change.object.metadata, .mlModels, to: modelQueue) }
        services.subscribe { change in Self.addOwner(of: change.object.metadata, .mlModels, to: modelQueue) }
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

    private static func addOwner(of metadata: ObjectMeta, _ type: ResourceType, to queue: WorkQueue) {
        guard let owner = metadata.controller, owner.kind == type.kind, owner.apiVersion == type.apiVersion else {
            return
        }
        queue.add(ObjectKey(namespace: metadata.namespace, name: owner.name))
    }
}
