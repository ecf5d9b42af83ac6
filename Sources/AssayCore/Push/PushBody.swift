import JSON

/// What a training says of itself while it runs: `{"accuracy": 0.9}`, or
/// `{"progressPercentage": 40, "estimatedRemainingSeconds": 120, "metrics": [{"name", "value", "split"}]}`.
///
/// Unlike a metrics file at a training's end, which is read as far as it can be, a push is taken whole or refused with every
/// field that is wrong: its sender is there to hear of it.
public struct PushBody: Sendable, Hashable {
    /// Of a body, in bytes.
    public static let longest = 64 << 10
    /// Ten years.
    static let mostSeconds: Int64 = 315_360_000
    private static let members: Set = ["progressPercentage", "estimatedRemainingSeconds", "metrics"]
    /// Python's None and JavaScript's null: as though it were not there.
    private static let absent = "null"

    public var percentage: Int?
    public var remainingSeconds: Int64?
    public var metrics: [Metric]

    public init(percentage: Int? = nil, remainingSeconds: Int64? = nil, metrics: [Metric] = []) {
        self.percentage = percentage
        self.remainingSeconds = remainingSeconds
        self.metrics = metrics
    }

    public static func read(_ bytes: [UInt8]) throws(PushRefusal) -> PushBody {
        guard bytes.count <= longest else { throw .tooLarge }
        let document: JSONValue
        do {
            // Python writes NaN bare, which is a value that a training may well have.
            document = try JSONValue(
                parsing: MetricsReading.quotingBareTokens(bytes[...]), limits: JSONLimits(depth: 8))
        } catch {
            throw .invalid([FieldProblem("body", "is no JSON: \(error.message)")])
        }
        guard let fields = document.object else { throw .invalid([FieldProblem("body", "must be a JSON object")]) }
        var reader = Reader()
        if fields.contains(where: { members.contains($0.key) }) {
            reader.read(document)
        } else {
            reader.readPlain(document)
        }
        if reader.body == PushBody(), reader.problems.isEmpty {
            reader.problems.append(
                FieldProblem(
                    "body", "says nothing; give progressPercentage, estimatedRemainingSeconds or metrics"))
        }
        guard reader.problems.isEmpty else { throw .invalid(reader.problems) }
        return reader.body
    }

    private struct Reader {
        var body = PushBody()
        var problems: [FieldProblem] = []

        /// Its problems are told to whoever sent it; more than these would tell no more.
        private static let mostProblems = 16

        private mutating func refuse(_ field: String, _ message: String) {
            if problems.count < Self.mostProblems { problems.append(FieldProblem(field, message)) }
        }

        mutating func readPlain(_ document: JSONValue) {
            for (name, value) in document.object ?? [:] { add(name, .holdout, value, at: name) }
        }

        mutating func read(_ document: JSONValue) {
            for (name, _) in document.object ?? [:] where !PushBody.members.contains(name) {
                refuse(
                    name,
                    "is not known; there are progressPercentage, estimatedRemainingSeconds and metrics, or metrics by name alone"
                )
            }
            body.percentage = whole(document, "progressPercentage", 0...100).map(Int.init)
            body.remainingSeconds = whole(document, "estimatedRemainingSeconds", 0...PushBody.mostSeconds)
            guard let metrics = document["metrics"], metrics.string != PushBody.absent else { return }
            guard let list = metrics.array else { return refuse("metrics", "must be a list of {name, value}") }
            for (index, entry) in list.enumerated() { read(entry, at: "metrics[\(index)]") }
        }

        private mutating func whole(_ document: JSONValue, _ field: String, _ range: ClosedRange<Int64>) -> Int64? {
            guard let value = document[field], value.string != PushBody.absent else { return nil }
            guard let number = value.string.flatMap({ Int64($0) }), range.contains(number) else {
                refuse(field, "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
                return nil
            }
            return number
        }

        private mutating func read(_ entry: JSONValue, at path: String) {
            guard let fields = entry.object else { return refuse(path, "must be an object with name and value") }
            for (name, _) in fields where !["name", "value", "split"].contains(name) {
                refuse("\(path).\(name)", "is not known; there are name, value and split")
            }
            guard let name = entry["name"]?.string else { return refuse("\(path).name", "is required") }
            var split = Split.holdout
            if let text = entry["split"]?.string, text != PushBody.absent {
                guard let known = Split(rawValue: text) else {
                    return refuse("\(path).split", "must be train, selection or holdout")
                }
                split = known
            }
            guard let value = entry["value"] else { return refuse("\(path).value", "is required") }
            add(name, split, value, at: "\(path).value", named: "\(path).name")
        }

        private mutating func add(
            _ name: String, _ split: Split, _ value: JSONValue, at path: String, named: String? = nil
        ) {
            guard MetricsReading.isName(name) else {
                let message =
                    "a metric's name must have 1 to \(MetricsReading.longestName) of the characters A-Z a-z 0-9 _ . / -"
                return refuse(named ?? "body", message)
            }
            guard let text = value.string, case let read = MetricValue(text: text), read.isNumber else {
                return refuse(path, "must be a number")
            }
            guard body.metrics[name, split] == nil else {
                return refuse(named ?? path, "\(name) of the split \(split.rawValue) is there twice")
            }
            guard body.metrics.count < MetricsReading.mostMetrics else {
                return refuse("metrics", "has more than \(MetricsReading.mostMetrics) metrics")
            }
            body.metrics.append(Metric(name: name, split: split, value: read))
        }
    }
}

extension MetricValue {
    /// A number, or what a computation with numbers comes to.
    fileprivate var isNumber: Bool {
        if case .unparsable = self { false } else { true }
    }
}
