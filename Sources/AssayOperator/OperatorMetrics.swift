import AssayCore
import ControllerRuntime
import KubernetesModel

/// What is measured of models and trainings. Every label has a fixed set of values.
struct OperatorMetrics: Sendable {
    static let descriptions: [String: MetricDescription] = [
        "assay_mlmodels": .init("Number of MLModels by their phase"),
        "assay_trainingjobs": .init("Number of TrainingJobs by their phase"),
        "assay_verdicts_total": .init("Total number of judgements of a run that were seen to be passed"),
        "assay_training_duration_seconds": .init(
            "How long trainings took that were seen to end, from their start",
            buckets: [1, 5, 15, 30, 60, 300, 900, 1800, 3600, 7200, 14_400, 28_800, 86_400]),
        "assay_pushes_total": .init("Total number of pushes by the status that they were answered with"),
        "assay_operator_image_info": .init("1, with the image that the operator runs from"),
        "assay_build_info": .init("1, with the version of the program"),
    ]

    /// An object whose status was not written yet.
    private static let unobserved = "Unobserved"

    private let models: [String: MetricSeries]
    private let trainings: [String: MetricSeries]
    private let verdicts: [Run.Judgement: MetricSeries]
    private let durations: [TrainingJobStatus.Phase: MetricSeries]

    init(registry: MetricsRegistry) {
        func gauges(_ name: String, _ phases: [String]) -> [String: MetricSeries] {
            Dictionary(
                uniqueKeysWithValues: (phases + [Self.unobserved]).map { ($0, registry.gauge(name, [("phase", $0)])) })
        }
        models = gauges("assay_mlmodels", MLModelStatus.Phase.allCases.map(\.rawValue))
        trainings = gauges("assay_trainingjobs", TrainingJobStatus.Phase.allCases.map(\.rawValue))
        verdicts = Dictionary(
            uniqueKeysWithValues: Run.Judgement.allCases.map {
                ($0, registry.counter("assay_verdicts_total", [("judgement", $0.rawValue)]))
            })
        durations = Dictionary(
            uniqueKeysWithValues: [.succeeded, .failed].map { (phase: TrainingJobStatus.Phase) in
                (phase, registry.histogram("assay_training_duration_seconds", [("phase", phase.rawValue)]))
            })
        registry.gauge("assay_build_info", [("version", AssayOperator.version)]).set(1)
    }

    /// Measures whatever the caches hear from now on.
    func follow(_ caches: Caches) {
        caches.models.subscribe { change in
            count(change, in: models) { $0.status.value?.phase?.rawValue }
            if case .modified(let old, let new) = change { countVerdicts(old, new) }
        }
        caches.trainingJobs.subscribe { change in
            count(change, in: trainings) { $0.status.value?.phase?.rawValue }
            if case .modified(let old, let new) = change { timeTraining(old, new) }
        }
    }

    private func count<Object>(
        _ change: StoreChange<Object>, in gauges: [String: MetricSeries], by phase: (Object) -> String?
    ) {
        func add(_ amount: Double, _ object: Object) {
            gauges[phase(object) ?? Self.unobserved]?.increment(by: amount)
        }
        switch change {
        case .added(let object): add(1, object)
        case .modified(let old, let new):
            add(-1, old)
            add(1, new)
        case .deleted(let object): add(-1, object)
        }
    }

    /// A run is judged once for each `spec.validation`.
    private func countVerdicts(_ old: MLModel, _ new: MLModel) {
        let known = old.status.value?.runs ?? []
        for run in new.status.value?.runs ?? [] {
            guard let judgement = run.judgement else { continue }
            let before = known.first { $0.number == run.number }
            if before?.judgement == judgement, before?.validationHash == run.validationHash { continue }
            verdicts[judgement]?.increment()
        }
    }

    private func timeTraining(_ old: TrainingJob, _ new: TrainingJob) {
        guard let status = new.status.value, status.isFinished, let phase = status.phase,
            old.status.value?.isFinished != true, let start = status.startTime, let end = status.completionTime
        else { return }
        durations[phase]?.observe(end.sinceEpoch - start.sinceEpoch)
    }
}
