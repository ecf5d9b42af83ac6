import JSON
import KubernetesModel

enum QuantityProperties {
    static func check(_ input: [UInt8]) throws {
        guard let text = String(validating: input, as: UTF8.self) else { return }
        guard let amount = parse(text) else { return }
        try canonicalForm(amount)
        try rounding(amount)
        try hold("nothing is left of a difference with itself", (amount - amount).isZero, [text, amount])
        try hold("zero adds nothing", amount + .zero == amount, [text, amount])
        guard !text.hasPrefix("-"), !text.hasPrefix("+") else { return }
        try hold("a zero in front changes nothing", parse("0" + text) == amount, [text, amount])
        try hold("a plus changes nothing", parse("+" + text) == amount, [text, amount])
        let negative = parse("-" + text)
        try hold("a minus gives the opposite", negative?.nanos == -amount.nanos, [text, amount, negative as Any])
    }

    private static func parse(_ text: String) -> Quantity? {
        do {
            return try Quantity(text)
        } catch {
            return nil
        }
    }

    /// Below, the format may change once: 3000 in powers of two has no suffix, and without one it is read as decimal.
    private static func canonicalForm(_ amount: Quantity) throws {
        let text = amount.description
        let again = try Quantity(text)
        try hold("what is written is read as the same amount", again == amount, [text, amount.nanos, again.nanos])
        if again.format == amount.format {
            try hold("the canonical form is a fixed point", again.description == text, [text, again])
        }
        let third = try Quantity(again.description)
        try hold("the canonical form settles", third.description == again.description, [text, again, third])
        let cursor = JSONCursor(.string(text))
        try hold("a field reads as the text does", try cursor.optionalQuantity() == amount, [text])
    }

    private static func rounding(_ amount: Quantity) throws {
        for (rounded, unit) in [(amount.value, Int128(1_000_000_000)), (amount.milliValue, Int128(1_000_000))] {
            let distance = Int128(rounded) * unit - amount.nanos
            let outward = amount.isNegative ? -distance : distance
            let saturated = rounded == .max || rounded == .min
            try hold(
                "rounding goes outward by less than one", saturated || (0..<unit).contains(outward),
                [amount, rounded, unit])
        }
    }
}
