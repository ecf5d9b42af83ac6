/// A range of IPv4 addresses, `10.96.0.0/16`.
struct AddressRange: Sendable, Hashable {
    /// The first address, as a number.
    let start: UInt32
    let count: UInt32

    /// Nil for what is no IPv4 range, or one of fewer than four addresses.
    init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let bits = UInt32(parts[1]), bits <= 30, bits >= 8 else { return nil }
        guard let address = Self.number(String(parts[0])) else { return nil }
        count = 1 << (32 - bits)
        start = address & ~(count - 1)
    }

    /// The addresses in order, but the network's own, the broadcast address, and the first nine, which are kept for
    /// who asks for them.
    var assignable: some Sequence<String> {
        let first = count > 32 ? start + 10 : start + 1
        return (first..<(start + (count - 1))).lazy.map(Self.text)
    }

    /// `10.96.0.1` as a number.
    static func number(_ text: String) -> UInt32? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        let bytes = parts.compactMap { UInt8($0) }
        return parts.count == 4 && bytes.count == 4 ? bytes.reduce(UInt32(0)) { $0 << 8 | UInt32($1) } : nil
    }

    private static func text(_ address: UInt32) -> String {
        [24, 16, 8, 0].map { String(address >> UInt32($0) & 255) }.joined(separator: ".")
    }
}
