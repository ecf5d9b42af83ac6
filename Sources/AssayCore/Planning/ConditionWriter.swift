import KubernetesModel

/// Sets the conditions that kstatus reads, of which `Reconciling` and `Stalled` stand only while true and never both.
struct ConditionWriter {
    enum Movement: Sendable, Hashable {
        case settled
        case reconciling(reason: String, message: String)
        case stalled(reason: String, message: String)
    }

    private(set) var conditions: [Condition]
    let generation: Int64
    let now: Timestamp

    init(_ conditions: [Condition], generation: Int64, now: Timestamp) {
        self.conditions = conditions
        self.generation = generation
        self.now = now
    }

    mutating func set(_ type: String, _ status: Condition.Status, reason: String, message: String) {
        conditions.set(
            Condition(
                type: type, status: status, observedGeneration: generation, reason: reason,
                message: Text.limited(message, to: 1024)),
            now: now)
    }

    mutating func set(_ type: String, _ holds: Bool, reason: String, message: String) {
        set(type, holds ? .true : .false, reason: reason, message: message)
    }

    mutating func remove(_ type: String) { conditions.remove(type) }

    mutating func settle(ready: Bool, reason: String, message: String, _ movement: Movement) {
        set("Ready", ready, reason: reason, message: message)
        switch movement {
        case .settled:
            remove("Reconciling")
            remove("Stalled")
        case .reconciling(let reason, let message):
            remove("Stalled")
            set("Reconciling", .true, reason: reason, message: message)
        case .stalled(let reason, let message):
            remove("Reconciling")
            set("Stalled", .true, reason: reason, message: message)
        }
    }
}

/// Text from outside, cut for conditions.
enum Text {
    static func limited(_ text: String, to length: Int) -> String {
        text.count <= length ? text : text.prefix(length - 1) + "…"
    }

    /// The end of a termination message, at most 256 characters, on one line: the last words say why.
    static func tail(_ text: String) -> String {
        let line = line(text)
        return line.count <= 256 ? line : "…" + line.suffix(255)
    }

    /// What somebody else has written, on one line and without what a terminal would obey.
    static func line(_ text: String) -> String {
        let words = text.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        return String(words.unicodeScalars.filter { $0.properties.generalCategory != .control })
    }
}

extension String {
    fileprivate init(_ scalars: some Sequence<Unicode.Scalar>) {
        var view = UnicodeScalarView()
        view.append(contentsOf: scalars)
        self.init(view)
    }
}
