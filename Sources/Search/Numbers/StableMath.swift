/// Exponential, logarithm and the normal distribution, by addition, multiplication and division alone.
///
/// IEEE 754 defines those to the last bit, while the C library's functions differ in it from one machine and version to the next,
/// and a suggestion has to come out equal wherever it is computed again.
enum StableMath {
    /// The natural logarithm, to about 1 unit in the last place; -infinity for 0, NaN for what is negative.
    static func ln(_ x: Double) -> Double {
        guard x > 0, x.isFinite else { return x == 0 ? -.infinity : x > 0 ? x : .nan }
        var exponent = x.exponent
        var m = x.significand
        if m > 1.414_213_562_373_095_1 {
            m *= 0.5
            exponent += 1
        }
        // ln m = 2 artanh s, with |s| < 0.172: twelve terms of its series are enough.
        let s = (m - 1) / (m + 1)
        let s2 = s * s
        var sum = 0.0
        for k in stride(from: 23.0, through: 3.0, by: -2) { sum = (sum + 1 / k) * s2 }
        let e = Double(exponent)
        return e * ln2High + (2 * s + (2 * s * sum + e * ln2Low))
    }

    /// The exponential, to about 1 unit in the last place.
    static func exp(_ x: Double) -> Double {
        if x < -746 { return 0 }
        if x > 710 { return .infinity }
        guard !x.isNaN else { return x }
        let k = (x * 1.442_695_040_888_963_4).rounded()
        let r = (x - k * ln2High) - k * ln2Low
        // |r| < 0.347: the rest of the Taylor series after the 13th power is below the last bit.
        var sum = 1.0
        for n in stride(from: 13.0, through: 1.0, by: -1) { sum = 1 + sum * r / n }
        return Double(sign: .plus, exponent: Int(k), significand: sum)
    }

    /// ln 2, in a part of few enough bits that whole numbers times it are exact, and the rest.
    private static let ln2High = 0x1.62e42fefa3800p-1
    private static let ln2Low = 0x1.ef35793c76730p-45

    /// The probability that a standard normal variable lies between two bounds.
    static func normalMass(_ low: Double, _ high: Double) -> Double {
        guard low < high else { return 0 }
        // By the upper tail, where small numbers keep their digits.
        if low >= 0 { return upperTail(low) - upperTail(high) }
        if high <= 0 { return upperTail(-high) - upperTail(-low) }
        return 1 - upperTail(-low) - upperTail(high)
    }

    /// The probability that a standard normal variable is more than x ≥ 0.
    static func upperTail(_ x: Double) -> Double {
        if x > 38 { return 0 }
        return millsRatio(x) * exp(-0.5 * x * x) * 0.398_942_280_401_432_7
    }

    private static let millsEnd = 12.0

    /// R(k/8) for k in 0...96, where R is the tail over the density.
    private static let mills: [Double] = (0...96).map { index in
        let x = Double(index) / 8
        guard x >= 2.5 else {
            // R(x) = (1/2 - Φ₀(x)) / φ(x), with the series of Φ₀ = φ(x)·(x + x³/3 + x⁵/(3·5) + …), Marsaglia 2004.
            var (term, sum, k) = (x, x, 1.0)
            while term > sum * 1e-18 {
                k += 2
                term *= x * x / k
                sum += term
            }
            return 1.253_314_137_315_500_3 * exp(0.5 * x * x) - sum
        }
        return continuedFraction(x, depth: 200)
    }

    /// Laplace's continued fraction 1/(x + 1/(x + 2/(x + 3/…))).
    private static func continuedFraction(_ x: Double, depth: Int) -> Double {
        var denominator = x
        for k in (1...depth).reversed() { denominator = x + Double(k) / denominator }
        return 1 / denominator
    }

    private static func millsRatio(_ x: Double) -> Double {
        guard x < millsEnd else { return continuedFraction(x, depth: 30) }
        // The Taylor series at the nearest point of the table, by R' = xR - 1 and R⁽ⁿ⁺²⁾ = xR⁽ⁿ⁺¹⁾ + (n+1)R⁽ⁿ⁾.
        let index = Int((x * 8).rounded())
        let z = Double(index) / 8
        let h = x - z
        var previous = mills[index]
        var derivative = z * previous - 1
        var power = h
        var sum = previous + derivative * h
        for n in 0..<9 {
            let next = z * derivative + Double(n + 1) * previous
            previous = derivative
            derivative = next
            power *= h / Double(n + 2)
            sum += derivative * power
        }
        return sum
    }
}
