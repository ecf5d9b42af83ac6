import JSON
import KubernetesModel

/// What is made around a candidate while it is proven.
struct ProofRendering {
    let model: MLModel
    let revision: Revision

    /// Of the Service and of the NetworkPolicy.
    var name: String {
        ChildName.make(
            prefix: model.metadata.name, suffix: "candidate",
            identity: [model.metadata.namespace ?? "", model.metadata.name, model.metadata.uid, revision.name])
    }

    /// Where the pods that prove find the candidate. The Service has no address of its own, so this is the pod's port.
    var url: String { "http://\(name).\(model.metadata.namespace ?? "").svc:\(revision.port)" }

    /// In the order in which it is made, before the candidate is.
    var fence: [(type: ResourceType, object: JSONValue)] { [(.networkPolicies, policy), (.services, service)] }

    /// Only pods of this label may reach the candidate.
    private var proverLabels: [String: String] { [Label.proof: revision.name] }

    private func child(_ type: ResourceType, spec: JSONValue) -> JSONValue {
        var result: JSONValue = [
            "apiVersion": .string(type.apiVersion), "kind": .string(type.kind),
            "metadata": [
                "name": .string(name),
                "labels": [
                    Label.managedBy: .string(Label.manager), Label.model: .string(model.metadata.name),
                    Label.proof: .string(revision.name),
                ],
                "ownerReferences": [OwnerReference(controller: model.metadata, of: MLModel.resourceType).json],
            ],
            "spec": spec,
        ]
        result["metadata", "namespace"] = JSONValue(model.metadata.namespace)
        return result
    }

    private var selector: JSONValue {
        JSONValue(ServingRendering.selector(model: model.metadata.name, revision: revision.name))
    }

    /// A cluster whose network knows no policies has no fence; the candidate is still in no Service that users know.
    private var policy: JSONValue {
        child(
            .networkPolicies,
            spec: [
                "podSelector": ["matchLabels": selector], "policyTypes": ["Ingress"],
                "ingress": [["from": [["podSelector": ["matchLabels": JSONValue(proverLabels)]]]]],
            ])
    }

    private var service: JSONValue {
        child(
            .services,
            spec: [
                "clusterIP": "None", "selector": selector,
                "ports": [
                    [
                        "name": "http", "port": JSONValue(revision.port), "protocol": "TCP",
                        "targetPort": JSONValue(revision.port),
                    ]
                ],
            ])
    }

    // MARK: Jobs

    /// How long a Job goes on being there when it has ended: its result is read when all have ended.
    private static func lifetime(_ validation: MLModelSpec.Validation) -> Int {
        RecordPod.lifetime + validation.tests.reduce(0) { $0 + min($1.deadline, 86_400) }
    }

    func proverName(_ proof: Proof) -> String {
        ChildName.make(prefix: model.metadata.name, suffix: "prove", identity: [model.metadata.uid, proof.id])
    }

    func testName(_ test: MLModelSpec.CandidateTest, _ proof: Proof) -> String {
        ChildName.make(
            prefix: "\(model.metadata.name)-\(test.name)", suffix: "test",
            identity: [model.metadata.uid, proof.id, test.name])
    }

    /// - Parameters:
    ///   - golden: the artifact with the records.
    ///   - like: a pod that writes into the same store: as whom it runs, this one does.
    ///   - image: the operator's.
    func prover(
        _ proof: Proof, _ validation: MLModelSpec.Validation, golden: SealedArtifact, store: ArtifactStoreSpec,
        like: PodTemplate, image: String
    ) -> JSONValue {
        let ours = ArtifactContainer(image: image, store: store, served: like.main)
        var arguments = ["--url", url, "--golden", golden.digest]
        arguments += ["--report", ContainerContract.defaultTerminationMessagePath]
        if let rules = validation.golden {
            arguments += ["--tolerance", Number.exact(rules.allowed)]
            if let path = rules.path { arguments += ["--path", path] }
        }
        if validation.malformedInput == .reject { arguments.append("--malformed-input") }
        var seconds = 0
        if validation.needsLoad {
            seconds = validation.load?.seconds ?? MLModelSpec.Load.defaultSeconds
            let width = validation.load?.concurrency ?? MLModelSpec.Load.defaultConcurrency
            arguments += ["--load-seconds", String(seconds), "--load-concurrency", String(width)]
        }
        var job = model.storeJob(
            name: proverName(proof), patience: store.patience + seconds, container: ArtifactContainer.prove,
            labels: proverLabels
        ) { labels in
            ours.scratchPod(
                ArtifactContainer.prove, arguments: arguments, patience: store.patience, readOnly: false, like: like,
                labels: labels)
        }
        job["spec", "ttlSecondsAfterFinished"] = JSONValue(Self.lifetime(validation))
        return job
    }

    /// A test that fails is not tried again: what passes at the third attempt is not proven. A pod that its node has lost has
    /// said nothing.
    func test(
        _ test: MLModelSpec.CandidateTest, _ proof: Proof, _ validation: MLModelSpec.Validation, run: String
    ) -> JSONValue {
        let labels = proverLabels.merging([Label.managedBy: Label.manager, Label.model: model.metadata.name]) { $1 }
        var pod = PodRendering(test.template)
        pod.addLabels(labels)
        pod.nameDefaultContainer(test.template.mainContainer)
        pod.setDefault("restartPolicy", "Never")
        pod.setDefault("automountServiceAccountToken", false)
        pod.forEachContainer { container in
            PodRendering.prepend(
                [(name: ContainerContract.run, value: run), (name: ContainerContract.candidateURL, value: url)],
                to: &container)
            PodRendering.fallBackToLogs(&container)
        }
        var job: JSONValue = [
            "apiVersion": .string(ResourceType.jobs.apiVersion), "kind": .string(ResourceType.jobs.kind),
            "metadata": [
                "name": .string(testName(test, proof)), "labels": JSONValue(labels),
                "ownerReferences": [OwnerReference(controller: model.metadata, of: MLModel.resourceType).json],
            ],
            "spec": [
                "podReplacementPolicy": "Failed", "backoffLimit": 0,
                "activeDeadlineSeconds": JSONValue(test.deadline),
                "ttlSecondsAfterFinished": JSONValue(Self.lifetime(validation)), "template": pod.template,
                "podFailurePolicy": [
                    "rules": [
                        [
                            "action": "Ignore",
                            "onPodConditions": [["type": "DisruptionTarget", "status": "True"]],
                        ]
                    ]
                ],
            ],
        ]
        job["metadata", "namespace"] = JSONValue(model.metadata.namespace)
        return job
    }
}
