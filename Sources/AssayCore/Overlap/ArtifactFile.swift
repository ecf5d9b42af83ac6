/// A file of an artifact, whose bytes are handed over when they are asked for.
public struct ArtifactFile {
    /// Its path in the artifact.
    public var name: String
    /// Hands over piece after piece, until one says that no more is of use.
    public var read: (_ take: (UnsafeRawBufferPointer) -> Bool) throws -> Void

    public init(name: String, read: @escaping (_ take: (UnsafeRawBufferPointer) -> Bool) throws -> Void) {
        self.name = name
        self.read = read
    }

    /// What a step leaves in place of rows that nobody here can read: the SHA-256 of each, one a line.
    public static let rowHashes = "row-hashes"

    /// How the names of other tables end.
    private static let tables: [String] = {
        let known = DataExpectation.Format.allCases.flatMap(\.endings)
        let packed = known.flatMap { ending in [".gz", ".bz2", ".xz", ".zst", ".zip"].map { ending + $0 } }
        return packed + [".tsv", ".parquet", ".arrow", ".feather", ".avro", ".orc", ".tfrecord", ".xlsx", ".h5", ".db"]
    }()

    enum Kind: Hashable {
        /// As other programs mark what is no data: `_SUCCESS`, `.part-0.crc`.
        case marker
        case rowHashes
        case rows(DataExpectation.Format)
        /// Rows, as its name says, in a form that is not read here.
        case unreadRows
        case other
    }

    var kind: Kind {
        guard name != Self.rowHashes else { return .rowHashes }
        let last = name.split(separator: "/").last ?? ""
        guard !last.hasPrefix("."), !last.hasPrefix("_") else { return .marker }
        let lowercased = name.lowercased()
        for format in DataExpectation.Format.allCases where format.endings.contains(where: lowercased.hasSuffix) {
            return .rows(format)
        }
        return Self.tables.contains(where: lowercased.hasSuffix) ? .unreadRows : .other
    }

    /// - Parameter body: whether more is wanted.
    /// - Returns: why it cannot be read as rows to its end, if it cannot.
    func eachRecord(
        _ format: DataExpectation.Format, _ body: (_ line: Int, _ record: RecordStream.Record) -> Bool
    ) throws -> RecordProblem? {
        var stream = RecordStream(format)
        var problem: RecordProblem?
        var isDone = false
        func take(_ next: (inout RecordStream) throws(RecordProblem) -> [(line: Int, record: RecordStream.Record)]) {
            do throws(RecordProblem) {
                for (line, record) in try next(&stream) where !isDone { isDone = !body(line, record) }
            } catch { problem = error }
        }
        try read { piece in
            take { (stream) throws(RecordProblem) in try stream.read(piece) }
            return problem == nil && !isDone
        }
        if problem == nil, !isDone { take { (stream) throws(RecordProblem) in try stream.finish() } }
        return problem
    }

    /// The lines of a file of hashes.
    func eachHash(_ body: (_ line: Int, _ hash: RowHash) -> Bool) throws -> RecordProblem? {
        var rest: [UInt8] = []
        var line = 0
        var problem: RecordProblem?
        var isDone = false
        func take(_ text: ArraySlice<UInt8>) {
            line += 1
            guard let hash = RowHash(hexadecimal: text) else {
                problem = RecordProblem(line: line, message: "is no sha256 of 64 lower-case hexadecimal digits")
                return
            }
            isDone = !body(line, hash)
        }
        try read { piece in
            for byte in piece {
                guard byte == UInt8(ascii: "\n") else {
                    // More than a hash has is enough to know that it is none.
                    if rest.count <= 64 { rest.append(byte) }
                    continue
                }
                take(rest[...])
                rest.removeAll(keepingCapacity: true)
                if isDone || problem != nil { return false }
            }
            return true
        }
        if problem == nil, !isDone, !rest.isEmpty { take(rest[...]) }
        return problem
    }
}
