/// Cuts a stream of bytes into lines, wherever its chunks begin and end.
///
/// Work and memory are linear in the bytes: a long line in many chunks is searched once.
struct LineFramer {
    struct TooLong: Error {
        var limit: Int
    }

    private let limit: Int
    private var pending: [UInt8] = []

    /// - Parameter limit: the longest line in bytes, without its end.
    init(limit: Int) { self.limit = limit }

    /// Bytes of a line that has not ended yet.
    var pendingCount: Int { pending.count }

    /// Calls `line` with every line that ends in `chunk`, without "\n" or "\r\n"; empty lines are left out.
    mutating func push<Failure: Error>(
        _ chunk: [UInt8], _ line: (ArraySlice<UInt8>) throws(Failure) -> Void
    ) throws(Failure) -> TooLong? {
        var rest = chunk[...]
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            let part = rest[..<end]
            rest = rest[(end + 1)...]
            guard pending.count + part.count <= limit else { return TooLong(limit: limit) }
            if pending.isEmpty {
                try Self.emit(part, line)
            } else {
                pending += part
                let whole = pending
                pending = []
                try Self.emit(whole[...], line)
            }
        }
        guard pending.count + rest.count <= limit else { return TooLong(limit: limit) }
        pending += rest
        return nil
    }

    /// What is left when the stream has ended: a last line without its end.
    mutating func finish() -> [UInt8] {
        defer { pending = [] }
        return pending
    }

    private static func emit<Failure: Error>(
        _ line: ArraySlice<UInt8>, _ body: (ArraySlice<UInt8>) throws(Failure) -> Void
    ) throws(Failure) {
        let line = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
        if !line.isEmpty { try body(line) }
    }
}
