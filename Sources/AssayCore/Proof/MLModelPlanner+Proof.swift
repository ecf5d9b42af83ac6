import JSON
import KubernetesModel

/// From a candidate that runs to one that may serve: what its own server shows, before any user reaches it.
extension MLModelPlanner {
    /// Whether it has shown what is asked of it.
    func isProven(_ revision: Revision, _ spec: MLModelSpec) -> Bool {
        !spec.validation.needsProof
            || (revision.proof?.passed == true && revision.proof?.hash == spec.validation.proofHash)
    }

    /// What keeps users from the candidate stands before its pods do; false where it cannot.
    mutating func fence(_ revision: Revision) -> Bool {
        for (type, object) in ProofRendering(model: model, revision: revision).fence {
            let name = object["metadata", "name"]?.string
            guard let there = observed.fence.first(where: { $0.type == type && $0.metadata.name == name }) else {
                // The cache may not know yet that the model is gone, or another of its name.
                guard observed.isLive else {
                    result.needsLiveObservation = true
                    return false
                }
                result.actions.append(.create(type, object, manager: FieldManager.spec))
                continue
            }
            guard isOurs(there.metadata, kind: type.kind) else { return false }
            guard Coverage.covers(there.spec, object["spec"] ?? [:]) else {
                // Somebody has changed it; it is made anew.
                delete(type, there.metadata)
                tellProving("the \(type.kind) \(there.metadata.name) was changed, and is made anew")
                return false
            }
        }
        return true
    }

    func isFenced(_ revision: Revision) -> Bool {
        observed.fence.contains {
            $0.metadata.labels[Label.proof] == revision.name && $0.metadata.controller?.uid == model.metadata.uid
        }
    }

    /// The fence goes when the candidate is proven, or is none any more; and with it whatever still tries it.
    mutating func tidyProofs(_ spec: MLModelSpec) {
        // What the proof has come to stands in status first, for else it would be fenced off again after a crash in between.
        let tried = (status.revisions + old.revisions).filter { $0.state == .rollingOut && !isProven($0, spec) }
        let names = Set(tried.map(\.name))
        for part in observed.fence where !names.contains(part.metadata.labels[Label.proof] ?? "") {
            delete(part.type, part.metadata)
        }
        let current = Set(tried.flatMap { jobNames(of: $0, spec) })
        for job in observed.proofJobs where !current.contains(job.metadata.name) && !job.isFinished {
            delete(.jobs, job.metadata)
        }
    }

    /// Without its Jobs a candidate is not proven, and does not serve.
    func isOfProof(_ failure: ActionFailure) -> Bool {
        guard let spec = model.spec.value else { return false }
        return status.revisions.filter { $0.state == .rollingOut }.flatMap { jobNames(of: $0, spec) }
            .contains { failure.operation.hasSuffix("/\($0)") }
    }

    private func jobNames(of revision: Revision, _ spec: MLModelSpec) -> [String] {
        guard let proof = revision.proof else { return [] }
        let rendering = ProofRendering(model: model, revision: revision)
        return [rendering.proverName(proof)] + spec.validation.tests.map { rendering.testName($0, proof) }
    }

    // MARK: Proving

    /// The candidate runs and is available.
    mutating func prove(_ index: Int, _ run: Run, _ spec: MLModelSpec) {
        guard fence(status.revisions[index]) else { return }
        guard let proof = status.revisions[index].proof, proof.hash == spec.validation.proofHash else {
            beginProof(index, spec)
            return
        }
        var report: ProofReport?
        if spec.validation.needsProver {
            guard let job = prover(index, proof, run, spec) else { return }
            guard let found = reports(of: job).lazy.compactMap({ ProofReport(message: $0.message) }).first else {
                tellProverFailed(job, index)
                return
            }
            report = found
        }
        let hasFailed = report.map { !$0.golden.passed || $0.malformedInput?.passed == false } ?? false
        var tests: [Gate.TestResult] = []
        for (number, test) in spec.validation.tests.enumerated() where !hasFailed {
            guard let result = self.test(test, number, index, proof, run, spec) else { return }
            tests.append(result)
            if !result.passed { break }
        }
        conclude(index, report, tests, run, spec)
    }

    /// It stands in status before anything is made for it, so that its Jobs are looked for.
    private mutating func beginProof(_ index: Int, _ spec: MLModelSpec) {
        let revision = status.revisions[index]
        let identity = [
            revision.name, spec.validation.proofHash, revision.startTime?.description ?? "",
            status.lastHandledReconcileAt ?? "",
        ]
        var proof = Proof(id: String(ContentHash(of: identity).prefix(12)), hash: spec.validation.proofHash)
        proof.startTime = now.truncatedToSeconds
        status.revisions[index].proof = proof
        tellProving("the server of \(revision.name) is about to be proven")
    }

    private mutating func prover(_ index: Int, _ proof: Proof, _ run: Run, _ spec: MLModelSpec) -> JobObservation? {
        let revision = status.revisions[index]
        let rendering = ProofRendering(model: model, revision: revision)
        let name = rendering.proverName(proof)
        guard let golden = run.allArtifacts.first(where: { $0.name == spec.validation.golden?.artifact }),
            let store = run.artifactStore ?? spec.training.spec.artifactStore
        else {
            giveUp(
                index, reason: "ArtifactMissing",
                message: "spec.validation.golden.artifact: the run has no \(spec.validation.golden?.artifact ?? "")")
            return nil
        }
        guard let image = observed.operatorImage else {
            tellOperatorImageUnknown()
            return nil
        }
        let writer = spec.training.spec.steps.first { !$0.outputs.isEmpty }?.template
        return finished(name, telling: "golden records are replayed on \(revision.name)") {
            rendering.prover(
                proof, spec.validation, golden: golden, store: store, like: writer ?? spec.serving.template,
                image: image)
        }
    }

    private mutating func test(
        _ test: MLModelSpec.CandidateTest, _ number: Int, _ index: Int, _ proof: Proof, _ run: Run,
        _ spec: MLModelSpec
    ) -> Gate.TestResult? {
        let rendering = ProofRendering(model: model, revision: status.revisions[index])
        let job = finished(
            rendering.testName(test, proof), telling: "the test \(test.name) runs against \(rendering.revision.name)"
        ) {
            rendering.test(test, proof, spec.validation, run: run.run ?? run.trainingJob)
        }
        guard let job else { return nil }
        guard !job.isComplete else {
            return Gate.TestResult(name: test.name, passed: true, why: "its pod has ended with status 0")
        }
        let path = "spec.validation.tests[\(number)].template"
        let trouble = observed.pods.filter { $0.metadata.controller?.uid == job.metadata.uid }
            .compactMap { PodTrouble.failure($0, template: test.template, path: path)?.message }.last
        let said = trouble ?? job.conditions["Failed"].map { "\($0.reason): \(Text.tail($0.message))" }
        return Gate.TestResult(name: test.name, passed: false, why: said ?? "its Job has failed")
    }

    /// A Job of the proof that has ended; nil where it is still to, or to be made, or is somebody else's.
    private mutating func finished(
        _ name: String, telling message: String, _ rendered: () -> JSONValue
    ) -> JobObservation? {
        guard let child = observed.proofJobs.first(where: { $0.metadata.name == name }) else {
            guard observed.isLive else {
                result.needsLiveObservation = true
                return nil
            }
            result.actions.append(.create(.jobs, rendered(), manager: FieldManager.spec))
            tellProving(message)
            return nil
        }
        guard isOurs(child.metadata, kind: "Job") else { return nil }
        guard child.isFinished else {
            tellProving(message)
            return nil
        }
        // The pods' cache may be behind the Jobs'.
        guard observed.isLive else {
            result.needsLiveObservation = true
            return nil
        }
        return child
    }

    private func reports(of job: JobObservation) -> [PodObservation.Container.Termination] {
        observed.pods.filter { $0.metadata.controller?.uid == job.metadata.uid }
            .flatMap(\.containers).filter { $0.name == ArtifactContainer.prove }
            .compactMap(\.terminated).filter { $0.exitCode == 0 }
    }

    /// Whatever it was that did not work, nothing is proven.
    private mutating func tellProverFailed(_ job: JobObservation, _ index: Int) {
        let said = observed.pods.filter { $0.metadata.controller?.uid == job.metadata.uid }
            .flatMap(\.containers).filter { $0.name == ArtifactContainer.prove }
            .compactMap(\.terminated?.message).last { !$0.isEmpty }
        let why = said ?? job.conditions["Failed"]?.message ?? "its pod was gone before its result was known"
        giveUp(index, reason: "ProofFailed", message: "nothing is proven: \(Text.tail(why))")
    }

    // MARK: The end

    private mutating func conclude(
        _ index: Int, _ report: ProofReport?, _ tests: [Gate.TestResult], _ run: Run, _ spec: MLModelSpec
    ) {
        let verdicts = Gate.judge(
            candidate: report, tests: tests, by: spec.validation, baseline: provenBaseline)
        let passed = !verdicts.isEmpty && verdicts.allSatisfy(\.passed)
        let name = status.revisions[index].name
        status.revisions[index].proof?.verdicts = verdicts
        status.revisions[index].proof?.metrics = report?.measurements ?? []
        status.revisions[index].proof?.report = report?.digest
        status.revisions[index].proof?.completionTime = now.truncatedToSeconds
        status.revisions[index].proof?.judgement = passed ? .passed : .refused
        if passed {
            result.events.append(
                PlannedEvent(
                    reason: "Proven", action: "Prove",
                    note: "the server of \(name) is proven: \(verdicts.map(\.summary).joined(separator: "; "))"))
            tellProving("the server of \(name) is proven")
        } else {
            status.revisions[index].state = .failed
            status.revisions[index].reason = "Refused"
            status.revisions[index].message = Text.limited(verdicts.refusal, to: 512)
            tellNotProven(index, run)
        }
    }

    /// What was measured on the revision that serves, when it was a candidate itself.
    private var provenBaseline: Gate.Baseline? {
        servingRevision.map { Gate.Baseline(revision: $0.name, metrics: Proof.reported($0.proof?.metrics ?? [])) }
    }

    // MARK: Words

    mutating func tellProving(_ message: String) {
        tellRollingOut(reason: "Proving", message: message)
    }

    mutating func tellNotProven(_ index: Int, _ run: Run) {
        let revision = status.revisions[index]
        status.candidate = nil
        let verdicts = revision.proof?.verdicts ?? []
        status.verdict = verdicts.summary
        var message = "run \(run.number) is refused, \(revision.name) was tried: \(verdicts.refusal)"
        if let report = revision.proof?.report { message += "; the report is \(report)" }
        conditions.set("Validated", .false, reason: "Refused", message: message)
        conditions.set("RolledOut", .false, reason: "Refused", message: "the candidate did not pass the gate")
        stall(.refused, reason: "Refused", message: message)
    }
}

extension JobObservation {
    /// It tries a candidate.
    public var isOfProof: Bool { metadata.labels[Label.proof] != nil }
}

extension MLModelPlan {
    /// The names of Services and NetworkPolicies that the plan asks about, beside those that the model controls.
    public static func fenceNames(of model: MLModel) -> [String] {
        guard let spec = model.spec.value, spec.validation.needsProof else { return [] }
        let recorded = (model.status.value?.revisions ?? []).filter { $0.state == .rollingOut }
        let next = [candidate(of: model)].compactMap(\.self)
        return Set((recorded + next).map { ProofRendering(model: model, revision: $0).name }).sorted()
    }

    /// Whether anything of a proof may be there.
    public static func provesCandidates(of model: MLModel) -> Bool {
        model.spec.value?.validation.needsProof == true
            || model.status.value?.revisions.contains { $0.proof != nil } == true
    }
}
