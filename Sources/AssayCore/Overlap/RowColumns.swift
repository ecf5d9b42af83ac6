import JSON
import OpenSSL

/// The SHA-256 of a row.
struct RowHash: Hashable {
    private var words: (UInt64, UInt64, UInt64, UInt64)

    init(of bytes: [UInt8]) { self.init(digest: sha256(bytes)) }

    private init(digest: [UInt8]) {
        func word(_ index: Int) -> UInt64 { digest[index * 8..<index * 8 + 8].reduce(0) { $0 << 8 | UInt64($1) } }
        words = (word(0), word(1), word(2), word(3))
    }

    /// Nil for anything but 64 lower-case digits.
    init?(hexadecimal text: ArraySlice<UInt8>) {
        guard text.count == 64 else { return nil }
        var digest: [UInt8] = []
        var high: UInt8?
        for byte in text {
            let value: UInt8
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = byte - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = byte - UInt8(ascii: "a") + 10
            default: return nil
            }
            if let first = high {
                digest.append(first << 4 | value)
                high = nil
            } else {
                high = value
            }
        }
        self.init(digest: digest)
    }

    static func == (left: RowHash, right: RowHash) -> Bool { left.words == right.words }

    /// It is a hash already.
    func hash(into hasher: inout Hasher) { hasher.combine(words.0) }
}

/// The columns of the holdout, by which rows are compared: two are the same that have the same in each of them, in whatever
/// order they stand and whatever else the other side has. `null` in JSON is as good as nothing.
struct RowColumns {
    /// More are none of a table.
    static let most = 4096

    private var union: Set<String> = []
    private var common: Set<String>?
    private var last: [String] = []

    /// Takes in a header, or the members of a record.
    mutating func note(_ names: [String]) {
        // Most records have the same ones.
        guard common == nil || names != last else { return }
        last = names
        union.formUnion(names)
        common = common.map { $0.intersection(names) } ?? Set(names)
    }

    mutating func note(_ object: JSONObject) { note(object.members.filter { !$0.value.isNull }.map(\.key)) }

    /// Sorted, so that their order makes no difference.
    var all: [String] { union.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) } }

    /// Those that all rows of the holdout have: where a file has one of them not, no row of it could be the same.
    var needed: Set<String> { common ?? [] }

    var problem: String? {
        if union.count > Self.most { return "has more than \(Self.most) columns" }
        return needed.isEmpty ? "has rows without any column in common" : nil
    }
}

/// Rows of one file, as the columns of the holdout have them.
struct RowProjection {
    private let columns: [String]
    /// Of CSV, where each of the columns stands.
    private var places: [Int?] = []
    private var missing: Set<String>
    private var bytes: [UInt8] = []

    init(_ columns: RowColumns) {
        self.columns = columns.all
        missing = columns.needed
    }

    /// A column without which nothing in the file can be compared, as far as it was read; nil if none lacks.
    var missingColumn: String? { missing.min() }

    mutating func begin(_ header: [String]) {
        let known = Dictionary(header.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
        places = columns.map { known[$0] }
        missing.subtract(header)
    }

    /// Values stand one after the other with their lengths, so that none runs into the next.
    mutating func hash(_ row: CSVReader.Row) -> RowHash {
        bytes.removeAll(keepingCapacity: true)
        for place in places { append(place.map { row[$0] }) }
        return RowHash(of: bytes)
    }

    mutating func hash(_ object: JSONObject) -> RowHash {
        bytes.removeAll(keepingCapacity: true)
        for column in columns {
            guard let value = object[column], !value.isNull else {
                append(nil)
                continue
            }
            if !missing.isEmpty { missing.remove(column) }
            append(value.serializedBytes()[...])
        }
        return RowHash(of: bytes)
    }

    private mutating func append(_ value: ArraySlice<UInt8>?) {
        let length = value.map { UInt64($0.count) } ?? .max
        withUnsafeBytes(of: length.littleEndian) { bytes.append(contentsOf: $0) }
        if let value { bytes.append(contentsOf: value) }
    }
}
