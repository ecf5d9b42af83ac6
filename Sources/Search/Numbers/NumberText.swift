/// Numbers as the parameters of a training carry them.
public enum NumberText {
    /// So many significant digits has what is suggested: more than any training can tell apart, and few enough to be read.
    static let digits = 12

    /// Reads a decimal as the OptimizationJob API writes bounds: `-7.5e-05`, `0.1`, `3`. No hexadecimal, no `inf`, no `nan`, no spaces,
    /// no number beyond what a double holds; nil for these.
    public static func parse(_ text: String) -> Double? {
        var rest = Substring(text)
        if rest.first == "-" { rest.removeFirst() }
        func digits() -> Int {
            let count = rest.utf8.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }.count
            rest = rest.dropFirst(count)
            return count
        }
        guard text.utf8.count <= 64, digits() > 0 else { return nil }
        if rest.first == "." {
            rest.removeFirst()
            guard digits() > 0 else { return nil }
        }
        if rest.first == "e" || rest.first == "E" {
            rest.removeFirst()
            if rest.first == "-" || rest.first == "+" { rest.removeFirst() }
            guard digits() > 0 else { return nil }
        }
        guard rest.isEmpty, let value = Double(text), value.isFinite else { return nil }
        return value == 0 ? 0 : value
    }

    /// The number nearest to it of at most 12 significant digits; halves go away from zero.
    static func rounded(_ value: Double) -> Double {
        // The shortest decimal that reads back as this double, which is the same everywhere: `-1.25e-07`.
        let parts = value.magnitude.description.split(separator: "e")
        guard value.isFinite, value != 0, let mantissa = parts.first else { return value == 0 ? 0 : value }
        let whole = mantissa.prefix { $0 != "." }
        var exponent = (parts.count > 1 ? Int(parts[1]) ?? 0 : 0) + whole.utf8.count
        var decimals = mantissa.utf8.filter { $0 != UInt8(ascii: ".") }.map { Int($0 - UInt8(ascii: "0")) }
        let zeros = decimals.prefix { $0 == 0 }.count
        decimals.removeFirst(zeros)
        exponent -= zeros
        guard decimals.count > digits else { return value }
        let coefficient = decimals.prefix(digits).reduce(0) { $0 * 10 + $1 } + (decimals[digits] >= 5 ? 1 : 0)
        let text = "\(value < 0 ? "-" : "")\(coefficient)e\(exponent - digits)"
        return Double(text) ?? value
    }
}
