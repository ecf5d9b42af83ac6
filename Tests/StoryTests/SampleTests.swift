import AssayCore
import FoundationEssentials
import JSON
import TestCluster
import Testing
import YAML

/// The samples, and kustomizations that users build on our kinds.
@Suite struct SampleTests {
    @Test(arguments: Rendering.all) func samplesAreWhatTheOperatorTakesAtTheStrictestLevel(
        _ rendering: Rendering
    ) async throws {
        let documents = try await rendering.documents("\(ProgramUnderTest.repository)/manifests/samples")
        let model = try MLModel(json: try documents.first(kind: "MLModel"))
        let job = try TrainingJob(json: try documents.first(kind: "TrainingJob"))
        #expect(model.problems == [])
        #expect(job.problems == [])
        let templates = Self.templates(documents)
        #expect(templates.count == 6)
        for (path, template) in templates {
            let policy = PodPolicy(operatorLevel: .restricted)
            #expect(PodCheck.problems(in: template, at: path, policy: policy) == [])
        }
    }

    /// The pod templates of our kinds, long forms included, with where they stand.
    private static func templates(_ documents: [JSONValue]) -> [(path: String, template: JSONValue)] {
        var result: [(String, JSONValue)] = []
        func addTraining(_ spec: JSONValue?, _ path: String) {
            if let template = spec?["template"] { result.append(("\(path).template", template)) }
            for (index, step) in (spec?["steps"]?.array ?? []).enumerated() {
                if let template = step["template"] { result.append(("\(path).steps[\(index)].template", template)) }
            }
        }
        for job in documents.of(kind: "TrainingJob") { addTraining(job["spec"], "TrainingJob") }
        for model in documents.of(kind: "MLModel") {
            addTraining(model["spec", "training", "template", "spec"], "MLModel.training")
            if let template = model["spec", "serving", "template"] { result.append(("MLModel.serving", template)) }
        }
        return result
    }

    @Test(arguments: Rendering.all) func imagesAndNamesReachIntoTemplates(_ rendering: Rendering) async throws {
        let repository = try UserRepository()
        defer { repository.remove() }
        let configuration = "\(repository.directory)/manifests/samples/kustomizeconfig.yaml"
        let directory = try repository.write(
            "team",
            [
                "kustomization.yaml": Self.kustomization,
                "objects.yaml": Self.objects,
                "kustomizeconfig.yaml": try String(contentsOfFile: configuration, encoding: .utf8),
            ])
        let documents = try await rendering.documents(directory)
        let generated = try documents.first(kind: "ConfigMap")
        let settings = try #require(generated["metadata", "name"]?.string)
        #expect(settings.hasPrefix("eu-settings-"), "the name has a hash of what is in it")
        let templates = Self.templates(documents)
        #expect(templates.count == 5)
        let expected = try Self.expected(settings: settings)
        for (path, template) in templates {
            #expect(template == expected, "\(path)")
        }
    }

    private static let kustomization = """
        namePrefix: eu-
        resources: [objects.yaml]
        configMapGenerator: [{name: settings, literals: [trees=50]}]
        images: [{name: registry.local/wine, newName: registry.example/wine, newTag: "2"}]
        configurations: [kustomizeconfig.yaml]
        """

    private static func template(image: String, prefix: String, settings: String) -> String {
        let sources = """
            envFrom: [{configMapRef: {name: \(settings)}}, {secretRef: {name: \(prefix)key}}], \
            env: [{name: A, valueFrom: {configMapKeyRef: {name: \(settings), key: trees}}}, \
            {name: B, valueFrom: {secretKeyRef: {name: \(prefix)key, key: a}}}]
            """
        return """
            {spec: {serviceAccountName: \(prefix)trainer, imagePullSecrets: [{name: \(prefix)key}], \
            initContainers: [{name: i, image: "\(image)", \(sources)}], \
            containers: [{name: c, image: "\(image)", \(sources)}], \
            volumes: [{name: a, configMap: {name: \(settings)}}, {name: b, secret: {secretName: \(prefix)key}}, \
            {name: c, persistentVolumeClaim: {claimName: \(prefix)models}}, {name: d, projected: {sources: [\
            {configMap: {name: \(settings)}}, {secret: {name: \(prefix)key}}]}}]}}
            """
    }

    private static func expected(settings: String) throws -> JSONValue {
        try JSONValue(yaml: template(image: "registry.example/wine:2", prefix: "eu-", settings: settings))
    }

    /// Each place where a pod template may stand, with every reference that a pod may have.
    private static let objects: String = {
        let template = SampleTests.template(image: "registry.local/wine:1", prefix: "", settings: "settings")
        return """
            apiVersion: v1
            kind: Secret
            metadata: {name: key}
            ---
            apiVersion: v1
            kind: ServiceAccount
            metadata: {name: trainer}
            ---
            apiVersion: v1
            kind: PersistentVolumeClaim
            metadata: {name: models}
            ---
            apiVersion: assay.dev/v1alpha1
            kind: TrainingJob
            metadata: {name: short}
            spec: {template: \(template)}
            ---
            apiVersion: assay.dev/v1alpha1
            kind: TrainingJob
            metadata: {name: long}
            spec: {steps: [{name: one, template: \(template)}]}
            ---
            apiVersion: assay.dev/v1alpha1
            kind: MLModel
            metadata: {name: short}
            spec: {training: {template: {spec: {template: \(template)}}}, serving: {template: \(template)}}
            ---
            apiVersion: assay.dev/v1alpha1
            kind: MLModel
            metadata: {name: long}
            spec: {training: {template: {spec: {steps: [{name: one, template: \(template)}]}}}}
            """
    }()
}
