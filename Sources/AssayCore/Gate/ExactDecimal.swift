/// A number as it is written, to the last digit: `0.97 - 0.965` is `0.005`, which it is not among doubles. At its very bound a
/// candidate passes or fails by the numbers that people read.
struct ExactDecimal: Sendable {
    private var isNegative = false
    /// Of the coefficient, in base 10⁹, the lowest first; empty for 0.
    private var limbs: [UInt32] = []
    /// The coefficient times 10 to this power.
    private var exponent = 0

    private static let base: UInt64 = 1_000_000_000

    /// The shortest decimal that reads back as this double.
    /// - Parameter value: finite.
    init(_ value: Double) {
        // `-1.25e-07`
        let text = value.description.utf8
        let parts = text.split(separator: UInt8(ascii: "e"))
        exponent = parts.count > 1 ? Int(Substring(parts[1])) ?? 0 : 0
        var isFraction = false
        for byte in parts.first ?? text[...] {
            switch byte {
            case UInt8(ascii: "-"): isNegative = true
            case UInt8(ascii: "."): isFraction = true
            default:
                multiply(by: 10, adding: UInt64(byte - UInt8(ascii: "0")))
                if isFraction { exponent -= 1 }
            }
        }
    }

    private mutating func multiply(by factor: UInt64, adding carry: UInt64 = 0) {
        var carry = carry
        for index in limbs.indices {
            let product = UInt64(limbs[index]) * factor + carry
            limbs[index] = UInt32(product % Self.base)
            carry = product / Self.base
        }
        if carry > 0 { limbs.append(UInt32(carry)) }
    }

    /// The same number with a lower exponent.
    private func scaled(to lower: Int) -> ExactDecimal {
        var result = self
        for _ in 0..<max(0, exponent - lower) { result.multiply(by: 10) }
        result.exponent = min(exponent, lower)
        return result
    }

    private static func isLess(_ left: [UInt32], _ right: [UInt32]) -> Bool {
        guard left.count == right.count else { return left.count < right.count }
        return left.reversed().lexicographicallyPrecedes(right.reversed())
    }

    static prefix func - (number: ExactDecimal) -> ExactDecimal {
        var result = number
        result.isNegative.toggle()
        return result
    }

    static func - (left: ExactDecimal, right: ExactDecimal) -> ExactDecimal {
        let exponent = min(left.exponent, right.exponent)
        var (left, right) = (left.scaled(to: exponent), -right.scaled(to: exponent))
        if isLess(left.limbs, right.limbs) { swap(&left, &right) }
        // The larger one's sign is the sum's.
        var carry: Int64 = 0
        let sign: Int64 = left.isNegative == right.isNegative ? 1 : -1
        left.limbs.append(0)
        for index in left.limbs.indices {
            var sum = Int64(left.limbs[index]) + carry
            if index < right.limbs.count { sum += sign * Int64(right.limbs[index]) }
            carry = sum < 0 ? -1 : sum >= Int64(base) ? 1 : 0
            left.limbs[index] = UInt32(sum - carry * Int64(base))
        }
        left.trim()
        return left
    }

    static func * (left: ExactDecimal, right: ExactDecimal) -> ExactDecimal {
        var result = left
        result.isNegative = left.isNegative != right.isNegative
        result.exponent += right.exponent
        result.limbs = [UInt32](repeating: 0, count: left.limbs.count + right.limbs.count)
        for (place, limb) in left.limbs.enumerated() {
            var carry: UInt64 = 0
            for index in right.limbs.indices {
                let sum = UInt64(result.limbs[place + index]) + UInt64(limb) * UInt64(right.limbs[index]) + carry
                result.limbs[place + index] = UInt32(sum % base)
                carry = sum / base
            }
            result.limbs[place + right.limbs.count] = UInt32(carry)
        }
        result.trim()
        return result
    }

    private mutating func trim() {
        while limbs.last == 0 { limbs.removeLast() }
    }

    /// -1, 0 or 1.
    var signum: Int { limbs.isEmpty ? 0 : isNegative ? -1 : 1 }

    static func >= (left: ExactDecimal, right: ExactDecimal) -> Bool { (left - right).signum >= 0 }
}
