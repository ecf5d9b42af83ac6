import JSON
import KubernetesModel

/// Finding what steps would make, before they are begun: first in the store, by a pod that also asks registries for the
/// digests of images; later only where another training of the namespace is known to have had the same.
extension TrainingJobPlanner {
    /// Looks as far as one can see. While a look is under way no step is begun.
    mutating func lookForResults(_ spec: TrainingJobSpec) {
        guard spec.isWorkflow, !isChanged, !status.steps.contains(where: { $0.phase == .failed }) else { return }
        noteRecipes(spec)
        reuseKnown(spec)
        if let last = status.lookups.last, last.outcome == .running {
            follow(last, spec)
        } else {
            beginLookup(spec)
        }
    }

    /// What is told while that is all that goes on.
    mutating func tellLookup(_ situations: [StepSituation]) {
        guard isLookingUp, situations.allSatisfy({ $0 == .waiting || $0 == .succeeded }) else { return }
        progress(
            .pending, reason: "LookingUp",
            message: "the Job \(status.lookups.last?.job ?? "") looks for what is there already")
    }

    // MARK: What is known without looking

    /// What goes into each step that is not begun. It is noted where the versions of what templates refer to were just read.
    private mutating func noteRecipes(_ spec: TrainingJobSpec) {
        for step in spec.steps {
            change(step) { status in
                guard status.attempts.isEmpty, !status.phase.isDone else { return }
                if status.images.isEmpty { status.images = step.template.images }
            }
            guard observed.isLive, step.reuse != .never else { continue }
            var versions: [(TemplateReference, String)] = []
            var problem: String?
            for reference in step.template.references {
                switch observed.references[reference] {
                case .version(let version): versions.append((reference, version))
                case .missing: versions.append((reference, ""))
                case .forbidden, nil:
                    problem =
                        "ReuseUnavailable: the operator may not look at the \(reference.kind.rawValue) \(reference.name), "
                        + "of which the step may depend; let it get that object, or say reuse: Never"
                }
            }
            change(step) { status in
                guard status.attempts.isEmpty, !status.phase.isDone else { return }
                status.recipe = problem == nil ? StepKey.recipe(of: step, in: spec, references: versions) : nil
                status.message = problem ?? status.message
            }
        }
    }

    /// Steps that make nothing but metrics need no look into the store.
    private mutating func reuseKnown(_ spec: TrainingJobSpec) {
        for step in spec.steps where step.outputs.isEmpty {
            guard let key = status.wantedKey(of: step), let record = observed.records[key] else { continue }
            reuse(record, key, for: step)
        }
    }

    private mutating func reuse(_ record: StepRecord, _ key: String, for step: TrainingStep) {
        let end = now.truncatedToSeconds
        change(step) { status in
            status.phase = .reused
            status.key = key
            status.message = nil
            status.madeBy = record.run
            status.outputs = step.outputs.compactMap { name in record.outputs.first { $0.name == name } }
            status.completionTime = end
        }
        keep(record.reading, of: step.name)
        result.events.append(
            PlannedEvent(
                reason: "Reused", action: "Reuse",
                note: "the step \(step.name) is not run: \(record.run ?? "another training") had the same"))
    }

    private mutating func change(_ step: TrainingStep, _ body: (inout StepStatus) -> Void) {
        if let index = status.steps.firstIndex(where: { $0.name == step.name }) {
            body(&status.steps[index])
        } else {
            var new = StepStatus(name: step.name)
            body(&new)
            status.steps.append(new)
        }
    }

    // MARK: Looking

    /// The steps whose results may be there and that are not begun.
    private func open(_ spec: TrainingJobSpec) -> [TrainingStep] {
        spec.steps.filter { step in
            guard step.reuse != .never, let known = status.steps.first(where: { $0.name == step.name }) else {
                return false
            }
            return known.recipe != nil && known.key == nil && known.attempts.isEmpty && !known.phase.isDone
        }
    }

    /// All of them the first time, and again where the answer was cut short or lost; later those that another training is
    /// known to have had, whose outputs may be gone.
    private func wanted(_ spec: TrainingJobSpec) -> [TrainingStep] {
        guard (status.lookups.last?.number ?? 0) < Bounds.steps else { return [] }
        let open = open(spec)
        guard let last = status.lookups.last else {
            return status.steps.allSatisfy(\.attempts.isEmpty) ? open : []
        }
        if last.reason == Self.partial || (last.outcome == .lost && last.number < 3) { return open }
        return open.filter { step in
            guard !step.outputs.isEmpty, let key = status.wantedKey(of: step) else { return false }
            return observed.records[key] != nil
        }
    }

    private static var partial: String { "Partial" }

    private mutating func beginLookup(_ spec: TrainingJobSpec) {
        // Who cannot begin a step says so itself.
        guard spec.suspend != true, let image = observed.operatorImage, mayMount else { return }
        if !observed.isLive {
            // What goes into a step is known by live reads alone.
            let isFirst = status.lookups.isEmpty && spec.steps.contains { $0.reuse != .never }
            let begins = isFirst && status.steps.allSatisfy { $0.attempts.isEmpty && !$0.phase.isDone }
            if begins || !wanted(spec).isEmpty { result.needsLiveObservation = true }
            return
        }
        let steps = wanted(spec)
        guard let first = steps.first, spec.artifactStore != nil, hasClaim, arePodsAllowed(spec) else { return }
        let number = (status.lookups.last?.number ?? 0) + 1
        let name = TrainingJobPlan.lookupName(of: job, number: number)
        status.lookups = status.lookups.suffix(4) + [Attempt(number: number, job: name)]
        isLookingUp = true
        if observed.jobs.contains(where: { $0.metadata.name == name }) {
            follow(status.lookups[status.lookups.count - 1], spec)
            return
        }
        let pod = LookupPod(
            request: request(steps), spec: spec, step: first, policy: observed.policy, image: image)
        result.actions.append(.create(.jobs, job.renderedLookup(name: name, pod), manager: FieldManager.spec))
    }

    private func request(_ steps: [TrainingStep]) -> LookupRequest {
        var images: Set<String> = []
        let asked = steps.map { step in
            let known = status.steps.first { $0.name == step.name }
            var named: [String: String] = [:]
            for image in known?.images ?? [] {
                named[image.container] = image.digest ?? image.image
                if image.digest == nil { images.insert(image.image) }
            }
            var inputs: [String: String] = [:]
            for name in step.inputs { inputs[name] = status.made.first { $0.name == name }?.digest ?? "" }
            return LookupRequest.Step(
                name: step.name, recipe: known?.recipe ?? "", images: named, inputs: inputs, outputs: step.outputs,
                candidate: status.wantedKey(of: step).flatMap { observed.records[$0] })
        }
        let others = status.steps.filter { known in !steps.contains { $0.name == known.name } }
        let keys = others.filter(\.phase.isDone).compactMap(\.key)
        return LookupRequest(
            images: images.sorted(), steps: asked, others: keys.count == others.count ? keys : nil)
    }

    /// A volume that one node mounts is left to whoever has it.
    private var mayMount: Bool {
        guard case .ofOneNode = observed.claim else { return true }
        return !isComparing && !status.steps.contains { $0.attempts.last?.outcome == .running }
    }

    private var hasClaim: Bool {
        if case .missing = observed.claim { false } else { true }
    }

    private func arePodsAllowed(_ spec: TrainingJobSpec) -> Bool {
        spec.steps.enumerated().allSatisfy { index, step in
            PodCheck.problems(in: step.template.json, at: spec.templatePath(of: index), policy: observed.policy).isEmpty
        }
    }

    // MARK: The answer

    private mutating func follow(_ lookup: Attempt, _ spec: TrainingJobSpec) {
        isLookingUp = true
        guard let child = observed.jobs.first(where: { $0.metadata.name == lookup.job }) else {
            guard observed.isLive else {
                result.needsLiveObservation = true
                return
            }
            end(.lost, reason: "JobDeleted", message: "the Job was deleted before it had a result", spec)
            return
        }
        guard child.metadata.controller?.uid == job.metadata.uid else {
            end(.failed, reason: "NameTaken", message: "a Job of the name \(lookup.job) is somebody else's", spec)
            return
        }
        updateLookup {
            $0.jobUID = child.metadata.uid
            $0.startTime = $0.startTime ?? child.startTime
        }
        guard child.isFinished else { return }
        guard observed.isLive else {
            result.needsLiveObservation = true
            return
        }
        let containers = observed.pods.filter { $0.metadata.controller?.uid == child.metadata.uid }
            .flatMap(\.containers).filter { $0.name == ArtifactContainer.resolve }
        if let message = containers.compactMap(\.terminated).first(where: { $0.exitCode == 0 })?.message,
            let report = LookupReport(message: message)
        {
            take(report, spec)
        } else {
            let message = containers.compactMap(\.terminated).last?.message ?? ""
            let told = message.isEmpty ? child.conditions["Failed"]?.message ?? "it did not say why" : message
            end(.failed, reason: "Failed", message: Text.tail(told), spec)
        }
    }

    private mutating func take(_ report: LookupReport, _ spec: TrainingJobSpec) {
        let asked = open(spec)
        for step in asked {
            change(step) { status in
                for index in status.images.indices where status.images[index].digest == nil {
                    status.images[index].digest = report.images[status.images[index].image]
                }
            }
        }
        let known = Dictionary(
            uniqueKeysWithValues: asked.compactMap { step in status.wantedKey(of: step).map { (step.name, $0) } })
        var found = 0
        var left = asked
        // In whatever order the spec has them: what is found makes others' keys known.
        while let index = left.firstIndex(where: { report.steps[$0.name] != nil && status.wantedKey(of: $0) != nil }) {
            let step = left.remove(at: index)
            guard let record = report.steps[step.name], record.isOf(step.outputs),
                let key = status.wantedKey(of: step)
            else { continue }
            reuse(record, key, for: step)
            found += 1
        }
        for step in left { note(step, report, key: known[step.name]) }
        if spec.steps.allSatisfy({ step in status.steps.contains { $0.name == step.name && $0.phase.isDone } }) {
            status.judgement = report.judgement
        }
        let isPartial = report.isPartial && (found > 0 || !report.images.isEmpty)
        end(.succeeded, reason: isPartial ? Self.partial : nil, message: nil, spec)
    }

    /// A step that was looked for in vain is not looked for again; of one whose image has no digest nothing is known.
    /// - Parameter key: By which it was looked for.
    private mutating func note(_ step: TrainingStep, _ report: LookupReport, key: String?) {
        let isLater = status.lookups.count > 1
        change(step) { status in
            if let image = status.images.first(where: { $0.digest == nil }) {
                let why = report.problem.map { " (\(Text.limited($0, to: 200)))" } ?? ""
                status.message = "ReuseUnavailable: image not pinned: \(image.image)\(why)"
            } else if isLater, !report.isPartial, let key {
                status.key = key
            }
        }
    }

    private mutating func end(_ outcome: Attempt.Outcome, reason: String?, message: String?, _ spec: TrainingJobSpec) {
        let end = now.truncatedToSeconds
        updateLookup {
            $0.outcome = outcome
            $0.reason = reason
            $0.message = message
            $0.completionTime = end
        }
        if outcome == .failed, let message {
            for step in open(spec) { change(step) { $0.message = "ReuseUnavailable: \(message)" } }
        }
        // What others are known to have had is asked by what stands in status.
        result.requeueAfter = .zero
    }

    private mutating func updateLookup(_ change: (inout Attempt) -> Void) {
        guard let last = status.lookups.indices.last else { return }
        change(&status.lookups[last])
    }
}

extension TrainingJobStatus {
    /// What there is to read: what was given, and what the steps have made.
    var made: [SealedArtifact] { artifacts + steps.filter(\.phase.isDone).flatMap(\.outputs) }

    /// What a step reads; nil while something of it is not made.
    func inputs(of step: TrainingStep) -> [SealedArtifact]? {
        let made = made
        let inputs = step.inputs.compactMap { name in made.first { $0.name == name } }
        return inputs.count == step.inputs.count ? inputs : nil
    }

    /// The key of a step that is not begun and was not asked for yet; nil while something that goes into it is not known.
    func wantedKey(of step: TrainingStep) -> String? {
        guard let known = steps.first(where: { $0.name == step.name }), known.key == nil, known.attempts.isEmpty,
            !known.phase.isDone, step.reuse != .never, let inputs = inputs(of: step)
        else { return nil }
        return known.key(inputs: inputs)
    }
}

extension StepStatus {
    func key(inputs: [SealedArtifact]) -> String? {
        guard let recipe, !images.isEmpty, let digests = images.digests else { return nil }
        return StepKey.key(recipe: recipe, images: digests, inputs: inputs.digests)
    }
}
