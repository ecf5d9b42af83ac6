import JSON
import KubernetesModel

/// A revision as one manifest, that serves the same bits wherever its artifacts are: everything in it is named by its content,
/// and it says nothing of where it is from.
public struct ModelExport: Sendable {
    /// Why there can be none, and what to do.
    public struct Refusal: Error, Hashable, CustomStringConvertible {
        public var description: String

        init(_ description: String) { self.description = description }
    }

    /// What is to be applied.
    public let manifest: JSONValue
    /// What the server's pods need beside it: `Secret login`.
    public let needs: [String]

    /// - Parameters:
    ///   - name: of the revision; the one that serves unless given.
    ///   - isCopied: its artifacts are in a store that the other cluster reaches, wherever they are here.
    public init(of model: MLModel, revision name: String? = nil, isCopied: Bool = false) throws(Refusal) {
        guard let spec = model.spec.value, let status = model.status.value, model.problems.isEmpty else {
            throw Refusal("the model is not as it should be: \(model.problems.text)")
        }
        let (revision, run) = try Self.find(name, in: status)
        let record = try Self.record(of: run, revision)
        guard revision.servingHash == spec.serving.revisionHash else {
            throw Refusal(
                "spec.serving is another now than when \(revision.name) was rolled out, and its template is in no status; "
                    + "export the revision that the spec leads to, or take the change back")
        }
        if !isCopied { try Self.checkStore(run, revision, record, spec) }
        var serving = spec.serving
        serving.template = try Self.pinned(serving.template, revision)
        serving.imageFrom = []
        serving.allowUnpinned = nil
        // Who has approved it here has not approved it there.
        serving.rollout?.approvedRevision = nil
        let exported = MLModelSpec(
            artifact: GivenArtifact(digest: record), evaluation: spec.independentEvaluation,
            validation: spec.validation, serving: serving,
            revisionHistoryLimit: spec.revisionHistoryLimit)
        manifest = [
            "apiVersion": .string(MLModel.resourceType.apiVersion), "kind": .string(MLModel.resourceType.kind),
            "metadata": ["name": .string(model.metadata.name)], "spec": exported.json,
        ]
        needs = serving.template.needs
    }

    private static func find(_ name: String?, in status: MLModelStatus) throws(Refusal) -> (Revision, Run) {
        guard let name = name ?? status.revision else { throw Refusal("no revision serves yet") }
        guard let revision = status.revisions.last(where: { $0.name == name }) else {
            let known = status.revisions.map(\.name).joined(separator: ", ")
            throw Refusal("there is no revision \(name); there \(known.isEmpty ? "is none" : "are \(known)")")
        }
        guard revision.servingTime != nil else { throw Refusal("the revision \(name) has never served") }
        guard let run = status.runs.last(where: { $0.number == revision.run }) else {
            throw Refusal("run \(revision.run), of which \(name) was made, has left the history of the model")
        }
        return (revision, run)
    }

    private static func record(of run: Run, _ revision: Revision) throws(Refusal) -> String {
        guard !run.artifacts.isEmpty else {
            throw Refusal(
                "\(revision.name) was made without artifacts: what was trained is in no store; make the training a workflow of "
                    + "steps with outputs")
        }
        guard let record = run.record, record.validationHash == run.validationHash, let digest = record.digest else {
            let why = run.record?.message.map { ": \($0)" } ?? "; try again in a while"
            throw Refusal("run \(run.number), of which \(revision.name) was made, is not sealed yet\(why)")
        }
        return digest
    }

    /// Of a claim another cluster can read nothing.
    private static func checkStore(
        _ run: Run, _ revision: Revision, _ record: String, _ spec: MLModelSpec
    ) throws(Refusal) {
        let store = run.artifactStore ?? spec.training.spec.artifactStore
        guard case .claim(let claim, let path) = store?.location else { return }
        let directory = (["file:///MOUNT"] + (path.isEmpty ? [] : [path])).joined(separator: "/")
        // The gate there replays the golden records too, and may measure again.
        let golden = [spec.validation.golden?.artifact].compactMap(\.self)
        let read = golden + (spec.evaluation?.steps ?? []).flatMap(\.inputs)
        let served = revision.content?.artifacts ?? []
        let others = run.allArtifacts.filter { read.contains($0.name) && !served.contains($0) }
        let digests = [record] + (served + others).map(\.digest)
        let commands = digests.map { "  assay artifact copy \(directory)@\($0) oci://HOST/REPOSITORY" }
        throw Refusal(
            """
            the artifacts are on the PersistentVolumeClaim \(claim), which another cluster cannot read. Where it is mounted at \
            /MOUNT, copy them to a store that it can, and export with --copied then:
            \(commands.joined(separator: "\n"))
            """)
    }

    private static func pinned(_ template: PodTemplate, _ revision: Revision) throws(Refusal) -> PodTemplate {
        if let loose = revision.images.first(where: { $0.digest == nil }) {
            throw Refusal(
                "the image \"\(loose.image)\" of the container \(loose.container) is pinned to no digest, and may be another one "
                    + "elsewhere; serve one that is")
        }
        var pod = PodRendering(template)
        pod.forEachContainer { container in
            guard let image = revision.images.first(where: { $0.container == container["name"]?.string }) else {
                return
            }
            container["image"] = .string(image.pinned)
        }
        return PodTemplate(json: pod.template)
    }
}

extension PodTemplate {
    /// Other objects of the namespace that its pods do not start without, or run as.
    fileprivate var needs: [String] {
        var result = references.map { "\($0.kind.rawValue) \($0.name)" }
        for volume in spec?["volumes"]?.array ?? [] {
            if let claim = volume["persistentVolumeClaim", "claimName"]?.string {
                result.append("PersistentVolumeClaim \(claim)")
            }
        }
        if let account = spec?["serviceAccountName"]?.string, !account.isEmpty, account != "default" {
            result.append("ServiceAccount \(account)")
        }
        for secret in spec?["imagePullSecrets"]?.array ?? [] {
            if let name = secret["name"]?.string, !name.isEmpty { result.append("Secret \(name)") }
        }
        return result
    }
}
