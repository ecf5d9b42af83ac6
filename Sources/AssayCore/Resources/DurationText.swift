/// Durations as Kubernetes' types write them, after Go: `90s`, `1h30m`, `1.5h`, `250ms`.
public enum DurationText {
    private static let units: [(name: String, seconds: Double)] = [
        ("ms", 0.001), ("h", 3600), ("m", 60), ("s", 1),
    ]

    /// A week, in seconds. Beyond it nobody means what is written.
    static let longest = 604_800.0

    /// At most a week; nil for what is no duration.
    static func duration(_ text: String) -> Duration? {
        seconds(text).map { .seconds(min($0, longest)) }
    }

    /// In seconds; nil for what is no duration, or a negative one.
    public static func seconds(_ text: String) -> Double? {
        var rest = Substring(text)
        guard !rest.isEmpty else { return nil }
        var result = 0.0
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
            rest = rest.dropFirst(digits.count)
            // Double(_:) reads more than numbers of digits, but nothing else comes here.
            guard let count = Double(digits), let unit = units.first(where: { rest.hasPrefix($0.name) }) else {
                return nil
            }
            rest = rest.dropFirst(unit.name.count)
            result += count * unit.seconds
        }
        return result
    }
}
