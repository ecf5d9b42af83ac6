import Concurrency

/// Random numbers that a seed determines (SplitMix64, Steele et al. 2014), so that a simulation repeats. Not for secrets.
public struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// Equal seeds give equal numbers.
    public init(seed: UInt64) { state = seed }

    /// Seeded by the system.
    public static func system() -> SeededGenerator { SeededGenerator(seed: .random(in: .min ... .max)) }

    /// The next number.
    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    /// A number in 0..<1.
    public mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }
}

/// Delays that double from one failure to the next, spread so that many clients do not come back at once.
public struct Backoff: Sendable, Hashable {
    /// The least delay after the first failure.
    public let initial: Duration
    /// No delay is longer.
    public let maximum: Duration
    /// In a row, since the last reset.
    public private(set) var failures = 0

    /// - Parameters:
    ///   - initial: the least delay after the first failure.
    ///   - maximum: no delay is longer.
    public init(initial: Duration, maximum: Duration) {
        self.initial = initial
        self.maximum = maximum
    }

    /// What a watch waits after a failure: client-go's 800 ms to 30 s.
    public static let watch = Backoff(initial: .milliseconds(800), maximum: .seconds(30))

    /// After a success.
    public mutating func reset() { failures = 0 }

    /// The next delay: uniform from `d` to 2`d`, where `d` is the initial delay times two to the number of failures
    /// so far, and at most half of the maximum.
    public mutating func next(_ random: inout SeededGenerator) -> Duration {
        var base = initial
        for _ in 0..<min(failures, 64) where base < maximum / 2 { base *= 2 }
        failures += 1
        base = min(base, maximum / 2)
        return base + base * random.unit()
    }
}
