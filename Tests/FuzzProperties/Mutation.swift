/// The random numbers of a seed (SplitMix64).
public struct SplitMix: RandomNumberGenerator, Sendable {
    private var state: UInt64

    public init(seed: UInt64) { state = seed }

    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}

/// Makes new inputs from those of a corpus, the same ones for the same seed.
public struct Mutation: Sendable {
    private let corpus: [[UInt8]]
    private var random: SplitMix

    /// - Parameter corpus: not empty.
    public init(corpus: [[UInt8]], seed: UInt64) {
        self.corpus = corpus
        random = SplitMix(seed: seed)
    }

    public mutating func next() -> [UInt8] {
        var bytes = corpus.randomElement(using: &random) ?? []
        for _ in 0..<Int.random(in: 1...4, using: &random) { change(&bytes) }
        return bytes
    }

    private mutating func change(_ bytes: inout [UInt8]) {
        let range = someRange(of: bytes)
        switch Int.random(in: 0..<6, using: &random) {
        case 0: bytes.removeSubrange(range)
        case 1: bytes.insert(contentsOf: bytes[range], at: range.lowerBound)
        case 2: bytes.insert(UInt8.random(in: 0...255, using: &random), at: range.lowerBound)
        case 3 where range.lowerBound < bytes.count:
            bytes[range.lowerBound] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        case 4:
            // A part of another input in place of one of its own.
            let other = corpus.randomElement(using: &random) ?? []
            bytes.replaceSubrange(range, with: other[someRange(of: other)])
        default:
            // A byte that is in the input already is likelier to mean something than any other.
            if let byte = bytes.randomElement(using: &random) { bytes.insert(byte, at: range.lowerBound) }
        }
    }

    /// Short ranges more often than long ones.
    private mutating func someRange(of bytes: [UInt8]) -> Range<Int> {
        let start = Int.random(in: 0...bytes.count, using: &random)
        let longest = [1, 4, 16, 256].randomElement(using: &random) ?? 1
        return start..<min(bytes.count, start + Int.random(in: 0...longest, using: &random))
    }
}
