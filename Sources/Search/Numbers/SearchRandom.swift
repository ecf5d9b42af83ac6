/// Random numbers that a seed determines (SplitMix64, Steele et al. 2014). Its draws are of its own, since those of the standard
/// library may change from one version to the next. Not for secrets.
struct SearchRandom: Sendable {
    /// What the numbers are for.
    struct Use: Sendable {
        let number: UInt64
    }

    private var state: UInt64

    /// A stream for each trial of each search, and for each use.
    init(seed: Int, stream: Int, use: Use) {
        state = UInt64(bitPattern: Int64(seed))
        for word in [UInt64(bitPattern: Int64(stream)), use.number] {
            state = next() ^ word &* 0xD134_2543_DE82_EF95
        }
        state = next()
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// A number in 0..<1.
    mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// One of 0..<count, each as probable as another.
    mutating func below(_ count: Int) -> Int {
        let bound = UInt64(count)
        // Of the numbers at the end that do not make a whole round, none is taken.
        let limit = UInt64.max - UInt64.max % bound
        while true {
            let number = next()
            if number < limit { return Int(number % bound) }
        }
    }

    /// A standard normal variable, by Marsaglia's polar method.
    mutating func normal() -> Double {
        while true {
            let (u, v) = (2 * unit() - 1, 2 * unit() - 1)
            let s = u * u + v * v
            if s > 0, s < 1 { return u * (-2 * StableMath.ln(s) / s).squareRoot() }
        }
    }

    /// A normal variable, given that it is between 0 and 1.
    /// - Parameter mean: between 0 and 1; so few draws are in vain.
    mutating func normal(mean: Double, deviation: Double) -> Double {
        while true {
            let value = mean + deviation * normal()
            if value >= 0, value <= 1 { return value }
        }
    }

    /// 0..<count in an order of chance.
    mutating func permutation(_ count: Int) -> [Int] {
        var order = Array(0..<count)
        for index in stride(from: count - 1, to: 0, by: -1) { order.swapAt(index, below(index + 1)) }
        return order
    }
}
