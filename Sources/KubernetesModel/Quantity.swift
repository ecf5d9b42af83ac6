import JSON

/// Why the text of a quantity was refused.
public struct QuantityError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The text as it was given.
    public var text: String
    /// What was wrong, with examples of what is right.
    public var description: String {
        "invalid quantity \"\(text)\": expected a number with an optional suffix, for example 500m, 2, 1.5Gi or 1e3"
    }
}

/// An amount of a resource (apimachinery `resource.Quantity`): exact to a billionth, at most 2⁶³-1.
///
/// Equality and order are those of the amount; the format only says how it is written.
public struct Quantity: Sendable {
    /// How an amount is written.
    public enum Format: Sendable, Hashable {
        /// `500m`, `2`, `3k`
        case decimalSI
        /// `1Ki`, `512Mi`
        case binarySI
        /// `1e3`
        case decimalExponent
    }

    /// Billionths.
    public private(set) var nanos: Int128
    /// How the amount is written; no part of its value.
    public var format: Format

    private static let one: Int128 = 1_000_000_000
    private static let limit: Int128 = Int128(Int64.max) * one

    /// A whole number of units.
    public init(_ value: Int64, format: Format = .decimalSI) {
        nanos = Int128(value) * Self.one
        self.format = format
    }

    /// A whole number of thousandths: `Quantity(milli: 500)` is `500m`.
    public init(milli value: Int64, format: Format = .decimalSI) {
        nanos = Int128(value) * (Self.one / 1000)
        self.format = format
    }

    private init(nanos: Int128, format: Format) {
        self.nanos = min(max(nanos, -Self.limit), Self.limit)
        self.format = format
    }

    /// Nothing.
    public static let zero = Quantity(0)
    /// Whether the amount is nothing.
    public var isZero: Bool { nanos == 0 }
    /// Whether the amount is less than nothing.
    public var isNegative: Bool { nanos < 0 }

    /// The amount in units, rounded up (away from zero).
    public var value: Int64 { Self.roundedUp(nanos, by: Self.one) }

    /// The amount in thousandths, rounded up (away from zero); at most 2⁶³-1.
    public var milliValue: Int64 { Self.roundedUp(nanos, by: Self.one / 1000) }

    /// The amount in units, to the nearest `Double`.
    public var double: Double { Double(nanos) / 1e9 }

    private static func roundedUp(_ value: Int128, by divisor: Int128) -> Int64 {
        let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
        let away: Int128 = remainder == 0 ? 0 : (value < 0 ? -1 : 1)
        return Int64(clamping: quotient + away)
    }

    /// The sum, at most 2⁶³-1, in the format of the first that is not zero.
    public static func + (left: Quantity, right: Quantity) -> Quantity {
        .init(nanos: left.nanos + right.nanos, format: left.isZero ? right.format : left.format)
    }

    /// The difference, at least -(2⁶³-1), in the format of the first that is not zero.
    public static func - (left: Quantity, right: Quantity) -> Quantity {
        .init(nanos: left.nanos - right.nanos, format: left.isZero ? right.format : left.format)
    }
}

extension Quantity: Hashable, Comparable {
    /// Whether the amounts are equal, however they are written.
    public static func == (left: Quantity, right: Quantity) -> Bool { left.nanos == right.nanos }
    /// Whether the first amount is less.
    public static func < (left: Quantity, right: Quantity) -> Bool { left.nanos < right.nanos }
    /// Hashes the amount, not its format.
    public func hash(into hasher: inout Hasher) { hasher.combine(nanos) }
}

extension Quantity {
    private static let decimalSuffixes: [(suffix: String, exponent: Int)] = [
        ("n", -9), ("u", -6), ("m", -3), ("", 0), ("k", 3), ("M", 6), ("G", 9), ("T", 12), ("P", 15), ("E", 18),
    ]
    private static let binarySuffixes: [(suffix: String, power: Int)] = [
        ("Ki", 10), ("Mi", 20), ("Gi", 30), ("Ti", 40), ("Pi", 50), ("Ei", 60),
    ]

    /// Parses a quantity. What is finer than a billionth is rounded away from zero; what is above 2⁶³-1 becomes that, as
    /// in apimachinery for powers of two (which keeps greater decimal amounts). The exponent in `1e3` is an integer of
    /// 64 bits in decimal, of which the lower 32 count: `resource.Quantity` reads `1e4294967297` as `1e1`.
    public init(_ text: String) throws(QuantityError) {
        let bytes = Array(text.utf8)
        var index = 0
        var isNegative = false
        if let sign = bytes.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") {
            isNegative = sign == UInt8(ascii: "-")
            index = 1
        }
        var digits: [UInt8] = []
        var fractionDigits = 0
        var hasPoint = false
        scan: while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                digits.append(bytes[index] - UInt8(ascii: "0"))
                if hasPoint { fractionDigits += 1 }
            case UInt8(ascii: ".") where !hasPoint: hasPoint = true
            default: break scan
            }
            index += 1
        }
        guard !digits.isEmpty, let unit = Self.unit(String(decoding: bytes[index...], as: UTF8.self)) else {
            throw QuantityError(text: text)
        }
        let magnitude = Self.scale(digits, exponent: unit.exponent - fractionDigits + 9, power: unit.power)
        self.init(nanos: isNegative ? -magnitude : magnitude, format: unit.format)
    }

    /// What follows the number: the powers of ten and of two that it stands for.
    private static func unit(_ suffix: String) -> (exponent: Int, power: Int, format: Format)? {
        if let found = decimalSuffixes.first(where: { $0.suffix == suffix }) {
            return (found.exponent, 0, .decimalSI)
        }
        if let found = binarySuffixes.first(where: { $0.suffix == suffix }) { return (0, found.power, .binarySI) }
        guard suffix.first == "e" || suffix.first == "E" else { return nil }
        let exponent = suffix.dropFirst()
        // Int64's parser takes a sign and digits and nothing else. Of 64 bits the lower 32 count, as in apimachinery.
        guard let value = Int64(exponent) else { return nil }
        return (Int(Int32(truncatingIfNeeded: value)), 0, .decimalExponent)
    }

    /// `digits` × 10^`exponent` × 2^`power`, rounded up, capped at the limit.
    private static func scale(_ digits: [UInt8], exponent: Int, power: Int) -> Int128 {
        var digits = Array(digits.drop { $0 == 0 })
        if digits.isEmpty { return 0 }
        var exponent = exponent
        while digits.last == 0 {
            digits.removeLast()
            exponent += 1
        }
        // The digits are a number from 10^(count - 1) to 10^count.
        if digits.count + exponent > 40 { return limit }
        if digits.count + exponent < -30 { return 1 }
        // As many digits as fit 128 bits beside the power of two, 38 to 20. What is lost only decides the rounding.
        let capacity = (38_200 - power * 302) / 1000
        let lost = max(0, digits.count - capacity)
        digits.removeLast(lost)
        exponent += lost
        var value: Int128 = 0
        for digit in digits { value = value * 10 + Int128(digit) }
        var (product, overflow) = value.multipliedReportingOverflow(by: Int128(1) << power)
        if overflow { return limit }
        while exponent > 0 {
            (product, overflow) = product.multipliedReportingOverflow(by: 10)
            if overflow || product > limit { return limit }
            exponent -= 1
        }
        var remains = lost > 0
        while exponent < 0, product > 0 {
            let (quotient, remainder) = product.quotientAndRemainder(dividingBy: 10)
            remains = remains || remainder != 0
            product = quotient
            exponent += 1
        }
        return min(product + (remains ? 1 : 0), limit)
    }
}

extension Quantity: CustomStringConvertible {
    /// The canonical form: no fraction, the largest suffix that loses nothing, no sign but a minus.
    public var description: String {
        if nanos == 0 { return "0" }
        if format == .binarySI, nanos.magnitude >= UInt128(1024 * Self.one), nanos % Self.one == 0 {
            var amount = nanos / Self.one
            var suffix = ""
            for candidate in Self.binarySuffixes where amount % 1024 == 0 {
                amount /= 1024
                suffix = candidate.suffix
                if amount % 1024 != 0 { break }
            }
            return "\(amount)\(suffix)"
        }
        var amount = nanos
        var exponent = -9
        while exponent < 18, amount % 1000 == 0 {
            amount /= 1000
            exponent += 3
        }
        if format == .decimalExponent { return exponent == 0 ? "\(amount)" : "\(amount)e\(exponent)" }
        let suffix = Self.decimalSuffixes.first { $0.exponent == exponent }?.suffix ?? ""
        return "\(amount)\(suffix)"
    }
}

extension JSONCursor {
    /// A quantity, written as a string or, as the API server allows too, as a number.
    public func optionalQuantity() throws(JSONShapeError) -> Quantity? {
        let text: String
        switch value {
        case nil: return nil
        case .string(let string)?: text = string
        case .integer?, .number?: text = value?.serialized() ?? ""
        case let other?: throw failure("must be a quantity, not \(other.typeName)")
        }
        do throws(QuantityError) {
            return try Quantity(text)
        } catch {
            throw failure(error.description)
        }
    }
}
