import JSON
import KubernetesModel

extension Revision {
    /// What a run is served as. Equal products have equal names: the images, the run (until artifacts say what it made)
    /// and the part of `spec.serving` that makes a revision.
    init(of run: Run, model: ObjectMeta, images: [ContainerImage], serving: MLModelSpec.Serving) {
        let rendering = ServingRendering.version
        let name = ChildName.make(
            prefix: model.name,
            identity: [
                String(rendering), String(run.number), serving.revisionHash,
                JSONValue(images.map(\.json)).serialized(),
            ], hashLength: 10)
        self.init(
            name: name, run: run.number, servingHash: serving.revisionHash, rendering: rendering, deployment: name,
            port: serving.port, images: images)
    }
}
