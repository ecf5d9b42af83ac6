/// How the entries of an artifact are spread over layers, which are sent and fetched side by side, and of which a store
/// has none twice.
enum LayerDivision {
    /// A layer that has reached so many bytes is followed by another.
    static let wanted = 64 << 20
    /// An overlay file system takes 128 layers and its own.
    static let most = 100

    /// In order, and the same for equal entries: the digests depend on it.
    static func layers(_ entries: [ArchiveEntry]) -> [ArraySlice<ArchiveEntry>] {
        let total = entries.reduce(0) { $0 + $1.size }
        let target = max(wanted, total / most + 1)
        var result: [ArraySlice<ArchiveEntry>] = []
        var first = entries.startIndex
        var size = 0
        for index in entries.indices {
            size += entries[index].size
            guard size >= target else { continue }
            result.append(entries[first...index])
            first = index + 1
            size = 0
        }
        if first < entries.endIndex { result.append(entries[first...]) }
        return result
    }
}
