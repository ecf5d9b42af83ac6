/// Reads an archive that comes in pieces of any size: a machine that is fed, and hands on entries and their content.
///
/// It takes what ``ArchivePacker`` writes, and what other programs write of the same kinds of entries. Whatever could lead out of
/// the directory, or means something that an artifact has not, is refused.
public struct ArchiveReader {
    /// What an archive consists of, in order: an entry, then its content.
    public enum Piece {
        case entry(ArchiveEntry)
        case content(UnsafeRawBufferPointer)
        /// All of the file's content has come.
        case end
    }

    private enum State {
        case header
        case extended(remaining: Int)
        case content(remaining: Int)
        case padding(remaining: Int)
        /// After a block of zeros.
        case ending
        case ended
    }

    /// Longer than any path and target together; the rest of what an extended header may say is not read.
    private static let longestExtension = 1 << 16

    private var state = State.header
    private var block: [UInt8] = []
    private var extended: [UInt8] = []
    private var records = ArchiveRecords()
    /// The size of the file whose content comes.
    private var contentSize = 0
    private var entries = 0
    private var bytes = 0
    private var paths: Set<ArchivePath> = []
    private let limits: ArchiveLimits

    public init(limits: ArchiveLimits = ArchiveLimits()) { self.limits = limits }

    /// Takes the next bytes, and hands on what they are; `content` is valid during the call only.
    public mutating func read(
        _ input: UnsafeRawBufferPointer, _ take: (Piece) throws(ArchiveError) -> Void
    ) throws(ArchiveError) {
        var rest = input[...]
        while !rest.isEmpty {
            switch state {
            case .header, .ending, .ended:
                guard let full = collect(&rest) else { return }
                try header(full, take)
            case .extended(let remaining):
                let count = min(remaining, rest.count)
                extended += rest.prefix(count)
                rest = rest.dropFirst(count)
                state = .extended(remaining: remaining - count)
                if remaining == count {
                    records = try ArchiveRecords(extended)
                    state = Self.after(content: extended.count)
                }
            case .content(let remaining):
                let count = min(remaining, rest.count)
                try take(.content(UnsafeRawBufferPointer(rebasing: rest.prefix(count))))
                rest = rest.dropFirst(count)
                state = .content(remaining: remaining - count)
                if remaining == count { try endContent(take) }
            case .padding(let remaining):
                let count = min(remaining, rest.count)
                guard rest.prefix(count).allSatisfy({ $0 == 0 }) else {
                    throw ArchiveError("", .malformed("there is something between two entries"))
                }
                rest = rest.dropFirst(count)
                state = remaining == count ? .header : .padding(remaining: remaining - count)
            }
        }
    }

    /// - Throws: ``ArchiveError`` where the archive had not come to its end.
    public func finish() throws(ArchiveError) {
        guard case .ended = state, block.isEmpty else { throw ArchiveError("", .cutOff) }
    }

    /// What the limits leave for another archive beside this one.
    var rest: ArchiveLimits { ArchiveLimits(entries: limits.entries - entries, bytes: limits.bytes - bytes) }

    private mutating func endContent(_ take: (Piece) throws(ArchiveError) -> Void) throws(ArchiveError) {
        try take(.end)
        state = Self.after(content: contentSize)
    }

    private static func after(content size: Int) -> State {
        let padding = ArchiveHeader.padding(size)
        return padding == 0 ? .header : .padding(remaining: padding)
    }

    /// The next whole block, once it is there.
    private mutating func collect(_ rest: inout Slice<UnsafeRawBufferPointer>) -> [UInt8]? {
        let count = min(ArchiveHeader.blockSize - block.count, rest.count)
        block += rest.prefix(count)
        rest = rest.dropFirst(count)
        guard block.count == ArchiveHeader.blockSize else { return nil }
        defer { block.removeAll(keepingCapacity: true) }
        return block
    }

    private mutating func header(
        _ block: [UInt8], _ take: (Piece) throws(ArchiveError) -> Void
    ) throws(ArchiveError) {
        if block.allSatisfy({ $0 == 0 }) {
            guard records.isEmpty else { throw ArchiveError("", .malformed("it ends after an extended header")) }
            // Two such blocks are the end; programs that write to tapes add more.
            if case .header = state { state = .ending } else { state = .ended }
            return
        }
        guard case .header = state else {
            throw ArchiveError("", .malformed("there is something after its end"))
        }
        let fields = try ArchiveFields(block)
        if fields.type == UInt8(ascii: "x") { return try beginExtension(fields) }
        let entry = try fields.entry(records)
        records = ArchiveRecords()
        try count(entry)
        try take(.entry(entry))
        contentSize = entry.size
        if case .file = entry.kind, entry.size == 0 { try take(.end) }
        state = entry.size > 0 ? .content(remaining: entry.size) : .header
    }

    private mutating func beginExtension(_ fields: ArchiveFields) throws(ArchiveError) {
        guard records.isEmpty else { throw ArchiveError("", .malformed("an extended header extends another")) }
        guard (1...Self.longestExtension).contains(fields.size) else {
            throw ArchiveError("", .malformed("an extended header of \(fields.size) bytes"))
        }
        extended = []
        state = .extended(remaining: fields.size)
    }

    private mutating func count(_ entry: ArchiveEntry) throws(ArchiveError) {
        entries += 1
        guard entries <= limits.entries else { throw ArchiveError("", .tooManyEntries(limits.entries)) }
        let (sum, overflow) = bytes.addingReportingOverflow(entry.size)
        guard !overflow, sum <= limits.bytes else { throw ArchiveError("", .tooManyBytes(limits.bytes)) }
        bytes = sum
        guard paths.insert(entry.path).inserted else { throw ArchiveError(entry.path.text, .duplicate) }
    }
}
