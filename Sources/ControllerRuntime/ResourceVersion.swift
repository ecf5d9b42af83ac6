/// Compares resource versions, which are opaque but for what KEP-5504 promises: decimal integers are ordered.
public enum ResourceVersion {
    /// True where `observed` is `written` or later; nil where that cannot be told.
    public static func covers(_ observed: String, _ written: String) -> Bool? {
        if observed == written { return true }
        guard let left = number(observed), let right = number(written) else { return nil }
        return left >= right
    }

    /// KEP-5504: digits only, no leading zero. Ours are bounded by 64 bits, as etcd's are.
    static func number(_ text: String) -> UInt64? {
        guard let first = text.utf8.first, (UInt8(ascii: "1")...UInt8(ascii: "9")).contains(first) else { return nil }
        return UInt64(text)
    }
}
