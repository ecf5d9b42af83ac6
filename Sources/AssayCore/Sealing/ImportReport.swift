import JSON
import OpenSSL

/// What `assay artifact import` leaves as its termination message: what an artifact is that was made elsewhere.
public struct ImportReport: Sendable, Hashable {
    /// The kubelet keeps 4,096 bytes.
    static let longest = 4000

    public var artifacts: [SealedArtifact]
    public var images: [ContainerImage] = []
    public var metrics: [Metric] = []
    public var metricsMessage: String?
    public var parameters: [String: String] = [:]
    public var seed: Int64?
    public var run: String?
    public var judgement: SealedJudgement?

    /// A model, and nothing that is known of it.
    public init(model: SealedArtifact) {
        artifacts = [model]
        metricsMessage = "the artifact is no sealed revision, and brings no metrics"
    }

    /// A sealed revision. What there is no room for is left out: first the sentences of the verdicts, then the parameters, the
    /// judgement, the images, and at last the metrics, without which no threshold is passed.
    /// - Parameter artifacts: those of the record that are there.
    public init(_ record: RevisionRecord, digest: String, artifacts: [SealedArtifact]) {
        self.artifacts = artifacts
        images = record.images
        // What a step has read nobody here has seen.
        metrics = record.metrics.map { metric in
            var metric = metric
            metric.evidence = nil
            return metric
        }
        metricsMessage = record.metricsMessage
        parameters = record.parameters
        seed = record.seed
        run = record.run
        judgement = record.judged(digest: digest)
        let cuts: [(inout ImportReport) -> Void] = [
            { $0.judgement = $0.judgement?.brief }, { $0.parameters = [:] }, { $0.judgement = nil }, { $0.images = [] },
            {
                $0.metrics = []
                $0.metricsMessage = "the sealed revision has more metrics than there is room for"
            },
        ]
        for cut in cuts where json.serializedBytes().count > Self.longest { cut(&self) }
    }

    init?(message: String) {
        do {
            let cursor = JSONCursor(try JSONValue(parsing: message))
            guard cursor["artifacts"].exists else { return nil }
            artifacts = try cursor["artifacts"].map { element throws(JSONShapeError) in
                try SealedArtifact(json: element)
            }
            images = try cursor["images"].map { element throws(JSONShapeError) in try ContainerImage(json: element) }
            metrics = try cursor["metrics"].map { element throws(JSONShapeError) in try Metric(json: element) }
            metricsMessage = try cursor["metricsMessage"].optionalString()
            parameters = try cursor["parameters"].stringMap()
            seed = try cursor["seed"].optionalInteger()
            run = try cursor["run"].optionalString()
            judgement = cursor["judgement"].exists ? try SealedJudgement(json: cursor["judgement"]) : nil
        } catch {
            return nil
        }
        guard isBounded else { return nil }
    }

    /// Somebody else has written it, and it is to stand in a status.
    private var isBounded: Bool {
        artifacts.allSatisfy { Bounds.isArtifactName($0.name) && Digest($0.digest) != nil }
            && metrics.count <= MetricsReading.mostMetrics && images.count <= Self.mostImages
            && metrics.allSatisfy { MetricsReading.isName($0.name) && ($0.step?.utf8.count ?? 0) <= 63 }
            && images.allSatisfy { image in
                image.container.utf8.count <= 63 && image.image.utf8.count <= 1024
                    && (image.step?.utf8.count ?? 0) <= 63
                    && image.digest.map { Digest($0) != nil } ?? true
            }
            && parameters.allSatisfy { Bounds.isParameterName($0.key) && $0.value.utf8.count <= Bounds.parameterValue }
            && (run?.utf8.count ?? 0) <= 63 && (metricsMessage?.utf8.count ?? 0) <= 512 && judgement?.isBounded ?? true
    }

    private static let mostImages = 64

    var reading: MetricsReading { MetricsReading(metrics: metrics, message: metricsMessage) }

    public var json: JSONValue {
        var result: JSONValue = ["artifacts": JSONValue(artifacts.map(\.json))]
        if !images.isEmpty { result["images"] = JSONValue(images.map(\.json)) }
        if !metrics.isEmpty { result["metrics"] = JSONValue(metrics.map(\.json)) }
        result["metricsMessage"] = JSONValue(metricsMessage)
        if !parameters.isEmpty { result["parameters"] = JSONValue(parameters) }
        if let seed { result["seed"] = .integer(seed) }
        result["run"] = JSONValue(run)
        result["judgement"] = judgement?.json
        return result
    }
}
