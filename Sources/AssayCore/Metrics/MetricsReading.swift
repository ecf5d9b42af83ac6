import JSON

/// What a training said of itself: `{"accuracy": 0.97}`, or `{"metrics": [{"name", "value", "split", "samples"}]}`.
///
/// One bad value does not take the others with it, and nothing is taken for a number that is not one. The input is a
/// container's word, so its size, names and count are bounded.
public struct MetricsReading: Sendable, Hashable {
    public static let mostMetrics = 64
    public static let longestName = 63
    /// The kubelet keeps this much of a termination message.
    public static let longestMessage = 4096

    public var metrics: [Metric] = []
    /// What could not be read, for people; nil when everything could.
    public var message: String?

    private var problems: [String] = []

    /// What was read before.
    init(metrics: [Metric] = [], message: String? = nil) {
        self.metrics = metrics
        self.message = message
    }

    /// Nothing could be read.
    init(failure: String) { message = failure }

    public init(terminationMessage: String) {
        let bytes = Array(terminationMessage.utf8.prefix(longestReadable))
        let text = bytes.drop { $0 == 0x20 || $0 == 0x0A || $0 == 0x0D || $0 == 0x09 }
        guard !text.isEmpty else {
            message = "the container wrote nothing to ASSAY_METRICS_FILE"
            return
        }
        guard text.first == UInt8(ascii: "{") else {
            message = "ASSAY_METRICS_FILE holds no JSON object"
            return
        }
        let quoted = Self.quotingBareTokens(text)
        do {
            read(try JSONValue(parsing: quoted, limits: JSONLimits(depth: 8)))
        } catch {
            let cut = error.offset >= quoted.count
            message =
                cut
                ? "the JSON in ASSAY_METRICS_FILE is cut off after \(terminationMessage.utf8.count) bytes "
                    + "(a termination message has at most \(Self.longestMessage))"
                : "ASSAY_METRICS_FILE holds broken JSON: \(error.message)"
            return
        }
        if !problems.isEmpty { message = problems.prefix(4).joined(separator: "; ") }
    }

    /// Some room above the kubelet's bound, for a node that counts otherwise.
    private var longestReadable: Int { Self.longestMessage * 2 }

    private mutating func read(_ document: JSONValue) {
        guard let members = document.object else { return }
        if let list = members["metrics"]?.array {
            for (index, entry) in list.enumerated() { read(entry, at: "metrics[\(index)]") }
        } else {
            for (name, value) in members { add(name: name, split: .holdout, value: value, samples: nil) }
        }
    }

    private mutating func read(_ entry: JSONValue, at path: String) {
        guard let name = entry["name"]?.string else {
            problems.append("\(path) has no name")
            return
        }
        var split = Split.holdout
        if let text = entry["split"]?.string {
            guard let known = Split(rawValue: text) else {
                problems.append("\(path).split is none of train, selection, holdout")
                return
            }
            split = known
        }
        let samples = entry["samples"]?.string.flatMap { Int64($0) }.flatMap { $0 >= 0 ? $0 : nil }
        add(name: name, split: split, value: entry["value"] ?? .null, samples: samples)
    }

    /// Takes in what a step reports. What two of them say differently is no value.
    /// - Parameter readsHoldout: Whether the step has the holdout among its inputs, where there is one. What it says of the
    ///   holdout then counts as attested, or not at all.
    mutating func add(_ other: MetricsReading, step: String, readsHoldout: Bool? = nil) {
        for metric in other.metrics {
            var metric = metric
            metric.step = step
            if metric.split == .holdout, let readsHoldout {
                guard readsHoldout else {
                    let problem = "\(step): \(metric.name) is no value of the holdout, which the step does not read"
                    if !problems.contains(problem) { problems.append(problem) }
                    continue
                }
                metric.evidence = .attested
            }
            add(metric)
        }
        let told = [message, other.message.map { "\(step): \($0)" }].compactMap(\.self) + problems
        problems = []
        message = told.isEmpty ? nil : told.joined(separator: "; ")
    }

    /// What becomes of a metrics file in a cluster: which has room for so much of it, and knows of a step what it reads.
    /// - Parameter step: that has written it; nil for a training without steps.
    public static func reading(_ file: String, of step: TrainingStep?, in training: TrainingJobSpec) -> MetricsReading {
        let message = String(decoding: file.utf8.prefix(longestMessage), as: UTF8.self)
        guard let step else { return MetricsReading(terminationMessage: message) }
        let reading =
            step.outputs.isEmpty
            ? MetricsReading(terminationMessage: message)
            : StepRecord(outputs: [], metricsFile: file, run: nil).reading
        var result = MetricsReading()
        result.add(reading, step: step.name, readsHoldout: training.readsHoldout(step.name))
        return result
    }

    private mutating func add(name: String, split: Split, value: JSONValue, samples: Int64?) {
        guard Self.isName(name) else {
            problems.append(
                "a metric's name has 1 to \(Self.longestName) of the characters A-Z a-z 0-9 _ . / -; one has not")
            return
        }
        let read =
            switch value {
            case .string(let text): MetricValue(text: text)
            default: MetricValue.unparsable(value.typeName)
            }
        add(Metric(name: name, split: split, value: read, samples: samples))
    }

    private mutating func add(_ metric: Metric) {
        if let index = metrics.firstIndex(where: { $0.name == metric.name && $0.split == metric.split }) {
            if metrics[index].value != metric.value {
                metrics[index].value = .unparsable("\(metrics[index].value) and \(metric.value)")
                problems.append("\(metric.name) is reported twice")
            }
            return
        }
        guard metrics.count < Self.mostMetrics else {
            let problem = "of more than \(Self.mostMetrics) metrics the first are read"
            if problems.last != problem { problems.append(problem) }
            return
        }
        metrics.append(metric)
    }

    static func isName(_ text: String) -> Bool {
        (1...longestName).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
                    || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || "_./-".utf8.contains(byte)
            }
    }

    /// What JSON's bare words end at.
    private static func isPunctuation(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"), UInt8(ascii: "\n"), UInt8(ascii: "{"),
            UInt8(ascii: "}"), UInt8(ascii: "["), UInt8(ascii: "]"), UInt8(ascii: ","), UInt8(ascii: ":"),
            UInt8(ascii: "\""):
            true
        default: false
        }
    }

    /// Puts quotes around every number and word that stands bare.
    ///
    /// Python's `json.dumps` writes `NaN` and `Infinity` bare, which is not JSON, and a number may be out of a double's
    /// range; quoted, each is judged by itself. A word that means nothing becomes a value that is no number.
    static func quotingBareTokens(_ text: ArraySlice<UInt8>) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(text.count + 64)
        var inString = false
        var escaped = false
        var inToken = false
        let quote = UInt8(ascii: "\"")
        for byte in text {
            if inString {
                result.append(byte)
                if escaped {
                    escaped = false
                } else if byte == UInt8(ascii: "\\") {
                    escaped = true
                } else if byte == quote {
                    inString = false
                }
                continue
            }
            let bare = !isPunctuation(byte)
            if bare != inToken {
                result.append(quote)
                inToken = bare
            }
            result.append(byte)
            if byte == quote { inString = true }
        }
        return result
    }
}
