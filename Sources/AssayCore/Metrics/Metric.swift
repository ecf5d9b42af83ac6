import JSON

/// Which data a metric was measured on.
public enum Split: String, Sendable, Hashable, CaseIterable {
    case train
    case selection
    case holdout
}

/// A reported value. Only `finite` can pass a gate; the others are kept as what they are.
public enum MetricValue: Sendable, Hashable, CustomStringConvertible {
    case finite(Double)
    case notANumber
    case infinite(negative: Bool)
    case unparsable(String)

    /// Reads a number as text: what JSON allows, and the names that languages print for what it does not.
    public init(text: String) {
        let isBlank = { (byte: UInt8) in byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D }
        var bytes = text.utf8.drop(while: isBlank)
        while let last = bytes.last, isBlank(last) { bytes.removeLast() }
        // Double(_:) also reads hexadecimal, which nobody means here, and names, which are below.
        if bytes.allSatisfy(Self.isOfNumbers), let value = Double(Substring(bytes)) {
            self = value.isFinite ? .finite(value) : .infinite(negative: value < 0)
            return
        }
        switch Substring(bytes).lowercased() {
        case "nan", "+nan", "-nan": self = .notANumber
        case "inf", "+inf", "infinity", "+infinity": self = .infinite(negative: false)
        case "-inf", "-infinity": self = .infinite(negative: true)
        default: self = .unparsable(String(text.prefix(64)))
        }
    }

    private static func isOfNumbers(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."),
            UInt8(ascii: "e"), UInt8(ascii: "E"):
            true
        default: false
        }
    }

    public init(_ value: Double) {
        if value.isNaN {
            self = .notANumber
        } else if value.isInfinite {
            self = .infinite(negative: value < 0)
        } else {
            self = .finite(value)
        }
    }

    /// The text in status, from which `init(text:)` reads the same value.
    public var description: String {
        switch self {
        case .finite(let value): Number.exact(value)
        case .notANumber: "NaN"
        case .infinite(let negative): negative ? "-Infinity" : "Infinity"
        case .unparsable(let text): text
        }
    }
}

public struct Metric: Sendable, Hashable {
    public var name: String
    public var split: Split
    public var value: MetricValue
    public var samples: Int64?
    /// The step that reported it; nil in the short form.
    public var step: String?
    /// Nil for the container's own word.
    public var evidence: Verdict.Evidence?

    public init(
        name: String, split: Split = .holdout, value: MetricValue, samples: Int64? = nil, step: String? = nil
    ) {
        self.name = name
        self.split = split
        self.value = value
        self.samples = samples
        self.step = step
    }

    /// Reads a metric of a status, where the value is text: JSON has no NaN, and the API's conventions no floats.
    public init(json cursor: JSONCursor) throws(JSONShapeError) {
        name = try cursor["name"].string()
        split = try cursor["split"].optionalEnum() ?? .holdout
        value = MetricValue(text: try cursor["value"].string())
        samples = try cursor["samples"].optionalInteger()
        step = try cursor["step"].optionalString()
        evidence = try cursor["evidence"].optionalEnum()
    }

    public var json: JSONValue {
        var result: JSONValue = [
            "name": .string(name), "split": .string(split.rawValue), "value": .string(value.description),
        ]
        if let samples { result["samples"] = .integer(samples) }
        result["step"] = JSONValue(step)
        result["evidence"] = JSONValue(evidence?.rawValue)
        return result
    }
}

extension [Metric] {
    public subscript(name: String, split: Split) -> Metric? { first { $0.name == name && $0.split == split } }
}

/// Numbers as people read them.
enum Number {
    /// The shortest text that reads back the same; whole numbers without a fraction.
    static func exact(_ value: Double) -> String {
        if let integer = Int64(exactly: value), abs(value) < 1e15 { return String(integer) }
        return value.description
    }

    /// At most five significant digits, for tables and messages.
    static func short(_ value: Double) -> String {
        guard value.isFinite, value != 0 else { return exact(value) }
        let magnitude = abs(value)
        guard magnitude >= 1e-4, magnitude < 1e9 else { return exact(value) }
        var scale = 1.0
        while magnitude * scale < 10_000 { scale *= 10 }
        return exact((value * scale).rounded() / scale)
    }
}
