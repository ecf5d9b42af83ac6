/// Bytes that wait to be read, in pieces of a bounded size, so that a reader never gets more at once than it can soon
/// digest.
struct PieceBuffer {
    /// No piece grows beyond this by being added to.
    static let pieceSize = 256 << 10

    private var pieces: [[UInt8]] = []
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    mutating func append(_ bytes: [UInt8]) {
        guard !bytes.isEmpty else { return }
        count += bytes.count
        if let last = pieces.indices.last, pieces[last].count + bytes.count <= Self.pieceSize {
            pieces[last] += bytes
        } else {
            pieces.append(bytes)
        }
    }

    mutating func takeFirst() -> [UInt8]? {
        guard !pieces.isEmpty else { return nil }
        let first = pieces.removeFirst()
        count -= first.count
        return first
    }
}
