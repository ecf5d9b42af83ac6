import AssayCore
import Concurrency
import ControllerRuntime
import JSON
import KubernetesClient
import KubernetesModel
import Logging

extension CustomResource: StoredObject {
    public static var fields: JSONFields? { ObjectMeta.fields.union(JSONFields("spec", "status")) }
}
extension JobObservation: StoredObject {
    public static var fields: JSONFields? {
        ObjectMeta.fields.union(JSONFields("spec.suspend", "spec.ttlSecondsAfterFinished", "status"))
    }
}
extension PodObservation: StoredObject {
    public static var fields: JSONFields? { ObjectMeta.fields.union(JSONFields("status")) }
}
extension DeploymentObservation: StoredObject {
    public static var fields: JSONFields? { ObjectMeta.fields.union(JSONFields("spec", "status")) }
}
extension NetworkPolicyObservation: StoredObject {
    public static var fields: JSONFields? { ObjectMeta.fields.union(JSONFields("spec")) }
}
extension ServiceObservation: StoredObject {
    public static var fields: JSONFields? { ObjectMeta.fields.union(JSONFields("spec")) }
}

/// What the operator watches: its own kinds, and of the built-in kinds only what carries its label.
struct Caches: Sendable {
    static let managedSelector = "\(Label.managedBy)=\(Label.manager)"

    let trainingJobs = Store<TrainingJob>()
    let models = Store<MLModel>()
    let jobs = Store<JobObservation>()
    let pods = Store<PodObservation>()
    let deployments = Store<DeploymentObservation>()
    let services = Store<ServiceObservation>()
    let networkPolicies = Store<NetworkPolicyObservation>()
    /// Nil where there is no gateway.
    var gateway: GatewayCaches?
    /// The serving pods of each model. ReplicaSets stand between them and the Deployments, and are not watched.
    let servingPods = ValueIndex<PodObservation> { [$0.metadata.labels[Label.model]].compactMap(\.self) }
    /// The trainings that have results of steps, by the steps' keys.
    let stepResults = ValueIndex<TrainingJob> { $0.resultKeys }

    init() {
        let (pods, results) = (servingPods, stepResults)
        self.pods.subscribe { pods.update($0) }
        trainingJobs.subscribe { results.update($0) }
    }

    /// Has a program keep them up to date, in one namespace or, where that is nil, in all.
    func watch(in program: inout Operator, namespace: String?) {
        program.watch(into: trainingJobs, namespace: namespace)
        program.watch(into: models, namespace: namespace)
        program.watch(into: jobs, namespace: namespace, labelSelector: Self.managedSelector)
        program.watch(into: pods, namespace: namespace, labelSelector: Self.managedSelector)
        program.watch(into: deployments, namespace: namespace, labelSelector: Self.managedSelector)
        program.watch(into: services, namespace: namespace, labelSelector: Self.managedSelector)
        program.watch(into: networkPolicies, namespace: namespace, labelSelector: Self.managedSelector)
    }

    /// Remembers a write of ours, and returns how to ask whether the cache has heard of it. Nil for kinds that are not
    /// watched.
    func noteWritten(_ type: ResourceType, _ object: JSONValue) -> (@Sendable () -> Bool)? {
        guard let name = object["metadata", "name"]?.string,
            let version = object["metadata", "resourceVersion"]?.string
        else { return nil }
        let key = ObjectKey(namespace: object["metadata", "namespace"]?.string, name: name)
        func note<Object>(_ store: Store<Object>) -> @Sendable () -> Bool {
            do throws(JSONShapeError) {
                store.noteWritten(key, resourceVersion: version, as: try Object(json: object))
            } catch {
                // The watch will say the same of it, and why.
                store.noteWritten(key, resourceVersion: version)
            }
            return { store.hasSeenOwnWrites(key) }
        }
        return switch type {
        case .trainingJobs: note(trainingJobs)
        case .mlModels: note(models)
        case .jobs: note(jobs)
        case .deployments: note(deployments)
        case .services: note(services)
        case .networkPolicies: note(networkPolicies)
        case .endpointSlices: gateway.map { note($0.slices) }
        case .endpoints: gateway.map { note($0.endpoints) }
        default: nil
        }
    }
}

extension Store {
    /// What an object controls, all of it in its own namespace: whoever claims an owner elsewhere is nobody's child.
    func children(of owner: ObjectMeta) -> [Object] {
        controlled(by: owner.uid).filter { $0.metadata.namespace == owner.namespace }
    }
}
