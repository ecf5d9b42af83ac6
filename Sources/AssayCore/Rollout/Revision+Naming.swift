import JSON
import KubernetesModel

extension Revision {
    /// What a run is served as. Equal products have equal names: the images, the artifacts (where there are none, the run)
    /// and the part of `spec.serving` that makes a revision.
    /// - Parameter fetchImage: the operator's.
    init(of run: Run, model: ObjectMeta, images: [ContainerImage], spec: MLModelSpec, fetchImage: String?) {
        let serving = spec.serving
        let rendering = ServingRendering.version
        let served = serving.artifacts.compactMap { name in run.artifacts.first { $0.name == name } }
        let product =
            served.isEmpty ? String(run.number) : served.map { "\($0.name)=\($0.digest)" }.joined(separator: " ")
        let name = ChildName.make(
            prefix: model.name,
            identity: [
                String(rendering), product, serving.revisionHash, JSONValue(images.map(\.json)).serialized(),
            ], hashLength: 10)
        var content: ServedContent?
        if !served.isEmpty, let store = run.artifactStore ?? spec.training.spec.artifactStore {
            content = ServedContent(artifacts: served, store: store, image: fetchImage ?? "")
        }
        self.init(
            name: name, run: run.number, servingHash: serving.revisionHash, rendering: rendering, deployment: name,
            port: serving.port, images: images, content: content)
    }
}
