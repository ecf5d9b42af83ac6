/// The values that a trial is to have, and of what they were computed.
public struct Suggestion: Sendable, Hashable {
    /// The trial's.
    public var number: Int
    /// By the name of the parameter.
    public var values: [String: String]
    public var seen: SeenTrials

    public init(number: Int, values: [String: String], seen: SeenTrials) {
        self.number = number
        self.values = values
        self.seen = seen
    }
}

/// What a suggestion was computed of, besides the settings and its number.
public struct SeenTrials: Sendable, Hashable {
    /// Those whose end was known.
    public var ended: TrialNumbers
    /// Those that were running.
    public var pending: TrialNumbers
    /// Of their values, states and objectives: 16 hexadecimal digits (FNV-1a).
    public var digest: String

    public init(ended: TrialNumbers, pending: TrialNumbers, digest: String) {
        self.ended = ended
        self.pending = pending
        self.digest = digest
    }

    /// - Parameter trials: by rising number.
    init(_ trials: [Trial]) {
        ended = TrialNumbers(trials.filter { $0.state != .pending }.map(\.number))
        pending = TrialNumbers(trials.filter { $0.state == .pending }.map(\.number))
        digest = Self.digest(trials)
    }

    /// The trials as they were seen then.
    /// - Parameter trials: as they are now, by rising number.
    /// - Returns: nil when one is missing, or is not what it was.
    func picked(from trials: [Trial]) -> [Trial]? {
        let ended = Set(ended.numbers)
        let pending = Set(pending.numbers)
        var picked: [Trial] = []
        for var trial in trials {
            if pending.contains(trial.number) {
                trial.state = .pending
            } else if !ended.contains(trial.number) {
                continue
            }
            picked.append(trial)
        }
        guard picked.count == ended.count + pending.count, Self.digest(picked) == digest else { return nil }
        return picked
    }

    private static func digest(_ trials: [Trial]) -> String {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        func add(_ bytes: some Sequence<UInt8>) {
            for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        }
        // There are several NaNs, and they are all the same here.
        func text(_ value: Double?) -> String { value.map { $0.isFinite ? $0.description : "" } ?? "" }
        func add(_ text: String) {
            add(text.utf8)
            add(CollectionOfOne(0))
        }
        for trial in trials {
            add("\(trial.number)")
            for (name, value) in trial.values.sorted(by: { $0.key < $1.key }) {
                add(name)
                add(value)
            }
            switch trial.state {
            case .pending:
                add("pending")
                continue
            case .failed: add("failed")
            case .succeeded: add("succeeded \(text(trial.objective))")
            case .stopped: add("stopped")
            }
            for report in trial.reports { add("\(report.step) \(text(report.value))") }
        }
        let digits = String(hash, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
