import JSON
import OpenSSL

/// How far the holdout is what training has not read: the result of a comparison, row by row.
public struct Independence: Sendable, Hashable {
    public enum Method: String, Sendable, Hashable, CaseIterable {
        /// What the files have in them was compared.
        case rows = "Rows"
        /// The steps that made the artifacts have said which rows are in them.
        case rowHashes = "RowHashes"
        /// Nothing can be said, or not of all of it; what was found all the same is true.
        case unproven = "Unproven"
    }

    /// Where a row stands on both sides. Never what it says: whoever reads a status need not be allowed to read the data.
    public struct Place: Sendable, Hashable {
        /// `holdout/rows.csv line 4`
        public var holdout: String
        public var training: String

        public init(holdout: String, training: String) {
            self.holdout = holdout
            self.training = training
        }
    }

    public static let mostPlaces = 5
    /// The kubelet keeps 4,096 bytes of what a container says last.
    static let longest = 4000

    /// The digest of the holdout that it is about.
    public var holdout: String
    public var method: Method
    /// Different ones, in the holdout; nil where that is not known.
    public var rows: Int64?
    /// How many of those are among what training has read.
    public var overlapping: Int64?
    public var places: [Place]
    /// Why nothing can be said, or what was not compared.
    public var message: String?

    public init(
        holdout: String, method: Method, rows: Int64? = nil, overlapping: Int64? = nil, places: [Place] = [],
        message: String? = nil
    ) {
        self.holdout = holdout
        self.method = method
        self.rows = rows
        self.overlapping = overlapping
        self.places = places
        self.message = message.map { Text.limited($0, to: 1000) }
    }

    static func unproven(_ holdout: String, _ why: String) -> Independence {
        Independence(holdout: holdout, method: .unproven, message: why)
    }

    public init(json cursor: JSONCursor) throws(JSONShapeError) {
        holdout = try cursor["holdout"].string()
        method = try cursor["method"].requiredEnum()
        rows = try cursor["rows"].optionalInteger()
        overlapping = try cursor["overlapping"].optionalInteger()
        places = try cursor["places"].map { element throws(JSONShapeError) in
            Place(holdout: try element["holdout"].string(), training: try element["training"].string())
        }
        message = try cursor["message"].optionalString()
    }

    /// What `assay artifact overlap` leaves as its termination message; nil for anything else. Who may write to the pod's
    /// store has a hand in it, so it is held to bounds before it stands in a status.
    init?(message text: String) {
        do { try self.init(json: JSONCursor(try JSONValue(parsing: text))) } catch { return nil }
        guard isBounded else { return nil }
    }

    private var isBounded: Bool {
        let texts = places.flatMap { [$0.holdout, $0.training] }
        let counts = (rows ?? 0, overlapping ?? 0)
        return Digest(holdout) != nil && places.count <= Self.mostPlaces && texts.allSatisfy { $0.utf8.count <= 1024 }
            && (message?.count ?? 0) <= 1000 && counts.1 >= 0 && counts.1 <= counts.0
            && (method == .unproven || (counts.0 > 0 && overlapping != nil))
    }

    public var json: JSONValue {
        var result: JSONValue = ["holdout": .string(holdout), "method": .string(method.rawValue)]
        if let rows { result["rows"] = .integer(rows) }
        if let overlapping { result["overlapping"] = .integer(overlapping) }
        if !places.isEmpty {
            result["places"] = .array(
                places.map { ["holdout": .string($0.holdout), "training": .string($0.training)] })
        }
        result["message"] = JSONValue(message)
        return result
    }

    /// As a termination message has room for it: the last places go first, then the end of the message.
    public var report: String {
        var result = self
        func isTooLong() -> Bool { result.json.serializedBytes().count > Self.longest }
        while isTooLong(), !result.places.isEmpty { result.places.removeLast() }
        if isTooLong() { result.message = result.message.map { Text.limited($0, to: 200) } }
        if isTooLong() { result.message = nil }
        return result.json.serialized()
    }

    /// The part of the holdout's rows that training has read; nil where none were compared.
    public var share: Double? {
        guard let rows, let overlapping, rows > 0 else { return nil }
        return Double(overlapping) / Double(rows)
    }

    /// Whether no more than that part of the rows was found; in decimals, as people read both.
    public func isWithin(_ most: Double) -> Bool {
        guard let rows, let overlapping else { return true }
        return ExactDecimal(most) * ExactDecimal(Double(rows)) >= ExactDecimal(Double(overlapping))
    }

    /// `3 of 60 rows of the holdout are among what training has read, first holdout/rows.csv line 4 (rows/rows.csv line 17)`
    public var words: String {
        guard let rows, let overlapping else { return message ?? "nothing was compared" }
        let count = rows == 1 ? "1 row" : "\(rows) rows"
        guard overlapping > 0 else { return "none of \(count) of the holdout is among what training has read" }
        let first = places.map { "\($0.holdout) is \($0.training)" }.joined(separator: ", ")
        let places = first.isEmpty ? "" : ", first \(first)"
        return "\(overlapping) of \(count) of the holdout are among what training has read\(places)"
    }
}
