/// Counts the rows of the holdout that are among what training has read. The holdout's are held by their hashes, up to a
/// limit; whatever else there is goes by as it is read.
///
/// What cannot be compared is never taken for different: where it could have rows in it, nothing is proven.
public struct OverlapCount {
    /// The container has 256 MiB, and a row takes some 100 bytes.
    public static let mostRows = 1_000_000

    private enum Form {
        case rows(DataExpectation.Format)
        case hashes
    }

    private let request: OverlapRequest
    private var rows: HoldoutRows
    private var columns = RowColumns()
    private var form: Form?
    /// Why nothing is proven, the first reasons of it.
    private var doubts: [String] = []
    /// Artifacts of training that have rows, by their places in the request.
    private var compared: Set<Int> = []
    private var withoutRows: [String] = []

    public init(_ request: OverlapRequest, limit: Int = Self.mostRows) {
        self.request = request
        rows = HoldoutRows(limit: limit)
    }

    /// Whether it is of use to read what training has read.
    public var isComparable: Bool { form != nil && doubts.isEmpty }

    private mutating func doubt(_ why: String) {
        if doubts.count < 3 { doubts.append(why) }
    }

    // MARK: The holdout

    /// Reads the files of the holdout, and those with rows twice: which columns there are must be known before the first row.
    public mutating func readHoldout(_ files: [ArtifactFile]) throws {
        let name = request.holdout.name
        if let file = files.first(where: { $0.kind == .rowHashes }) {
            form = .hashes
            try readHoldoutHashes(file)
        } else if let file = files.first(where: { $0.kind == .other || $0.kind == .unreadRows }) {
            doubt("\(Self.place(file, of: name)) is neither CSV nor JSON Lines; \(Self.remedy)")
        } else {
            try readHoldoutRows(files)
        }
        if doubts.isEmpty, rows.count == 0 { doubt("\(name) has no rows") }
    }

    private static let remedy = "let its step leave a file row-hashes in it, with the sha256 of each row"

    private mutating func readHoldoutHashes(_ file: ArtifactFile) throws {
        let place = Self.place(file, of: request.holdout.name)
        rows.begin(file: place)
        var isFull = false
        let problem = try file.eachHash { line, hash in
            isFull = !rows.add(hash, line: line)
            return !isFull
        }
        note(problem, isFull: isFull, in: place)
    }

    private mutating func readHoldoutRows(_ files: [ArtifactFile]) throws {
        let formats = DataExpectation.Format.allCases.filter { format in files.contains { $0.kind == .rows(format) } }
        guard let format = formats.first, formats.count == 1 else {
            doubt("\(request.holdout.name) has \(formats.isEmpty ? "no files" : "files both") of CSV and JSON Lines")
            return
        }
        form = .rows(format)
        let files = files.filter { $0.kind == .rows(format) }
        for file in files { try readColumns(file, format) }
        if doubts.isEmpty, let problem = columns.problem { doubt("\(request.holdout.name) \(problem)") }
        for file in files where doubts.isEmpty { try readHoldoutRows(file, format) }
    }

    private mutating func readColumns(_ file: ArtifactFile, _ format: DataExpectation.Format) throws {
        let problem = try file.eachRecord(format) { _, record in
            switch record {
            case .header(let names): columns.note(names)
            case .object(let object): columns.note(object)
            case .fields: break
            }
            // Of CSV the header tells, of JSON Lines every record.
            return format == .jsonLines
        }
        note(problem, isFull: false, in: Self.place(file, of: request.holdout.name))
    }

    private mutating func readHoldoutRows(_ file: ArtifactFile, _ format: DataExpectation.Format) throws {
        let place = Self.place(file, of: request.holdout.name)
        rows.begin(file: place)
        var projection = RowProjection(columns)
        var isFull = false
        let problem = try file.eachRecord(format) { line, record in
            guard let hash = projection.hash(record) else { return true }
            isFull = !rows.add(hash, line: line)
            return !isFull
        }
        note(problem, isFull: isFull, in: place)
    }

    private mutating func note(_ problem: RecordProblem?, isFull: Bool, in place: String) {
        if isFull { doubt("\(request.holdout.name) has more rows than can be compared, which are \(rows.limit)") }
        if let problem { doubt("\(place) line \(problem.line): \(problem.message)") }
    }

    // MARK: What training has read

    /// Reads the files of one of the artifacts that training has read, by its place in the request.
    public mutating func readTraining(_ index: Int, _ files: [ArtifactFile]) throws {
        let artifact = request.training[index]
        let hashes = files.first { $0.kind == .rowHashes }
        var faults: [String] = []
        var count = 0
        switch form {
        case nil: return
        case .hashes:
            if let hashes {
                count = try compareHashes(hashes, of: artifact, &faults)
            } else if files.contains(where: \.hasRows) {
                faults.append("\(artifact.name) has no file row-hashes, and the holdout has one")
            }
        case .rows(let format):
            count = try compareRows(files.filter(\.isData), format, of: artifact, &faults)
            if let hashes {
                var declared = 0
                let problem = try hashes.eachHash { _, _ in
                    declared += 1
                    return true
                }
                if let problem { faults.append("\(artifact.name)/row-hashes line \(problem.line): \(problem.message)") }
                // Who lists none says that there are none.
                if problem == nil, declared == 0 { faults = [] }
                if declared > 0, count == 0 {
                    faults.append("\(artifact.name) has row-hashes, and the holdout has none")
                }
            }
        }
        if count > 0 { compared.insert(index) } else { withoutRows.append(artifact.name) }
        // What was made of other artifacts is known by those.
        if artifact.isSource { for fault in faults { doubt(fault) } }
    }

    private mutating func compareHashes(
        _ file: ArtifactFile, of artifact: OverlapRequest.Artifact, _ faults: inout [String]
    ) throws -> Int {
        let place = Self.place(file, of: artifact.name)
        var count = 0
        let problem = try file.eachHash { line, hash in
            count += 1
            rows.look(for: hash, in: place, line: line)
            return true
        }
        if let problem { faults.append("\(place) line \(problem.line): \(problem.message)") }
        return count
    }

    /// - Returns: how many rows were compared.
    private mutating func compareRows(
        _ files: [ArtifactFile], _ format: DataExpectation.Format, of artifact: OverlapRequest.Artifact,
        _ faults: inout [String]
    ) throws -> Int {
        // A model or a scaler has nothing like rows, and is no fault of anybody's.
        guard files.contains(where: \.hasRows) else { return 0 }
        var count = 0
        for file in files {
            let place = Self.place(file, of: artifact.name)
            guard file.kind == .rows(format) else {
                faults.append("\(place) is not \(format.title), as the holdout is, and cannot be compared with it")
                continue
            }
            var projection = RowProjection(columns)
            var here = 0
            let problem = try file.eachRecord(format) { line, record in
                if let hash = projection.hash(record) {
                    here += 1
                    rows.look(for: hash, in: place, line: line)
                    return true
                }
                return projection.missingColumn == nil
            }
            if let problem { faults.append("\(place) line \(problem.line): \(problem.message)") }
            if problem == nil, projection.missingColumn != nil, here > 0 || format == .csv {
                faults.append("\(place) lacks columns that the holdout has, and cannot be compared with it")
            } else {
                count += here
            }
        }
        return count
    }

    private static func place(_ file: ArtifactFile, of artifact: String) -> String {
        "\(artifact)/\(Text.limited(Text.tail(file.name), to: 120))"
    }

    // MARK: What comes of it

    public var result: Independence {
        var doubts = doubts
        if form != nil, doubts.isEmpty {
            for need in request.needs where compared.isDisjoint(with: need.artifacts) {
                let names = need.artifacts.map { request.training[$0].name }.joined(separator: ", ")
                doubts.append(
                    "what \(need.step) has read is not known: there are no rows in \(names.isEmpty ? "anything" : names)"
                )
                break
            }
            if request.needs.isEmpty { doubts.append("nothing is known that training has read") }
        }
        var words = doubts
        if !withoutRows.isEmpty {
            words.append("without rows that could be compared: \(withoutRows.joined(separator: ", "))")
        }
        let method: Independence.Method
        switch form {
        case .some(.hashes) where doubts.isEmpty: method = .rowHashes
        case .some(.rows) where doubts.isEmpty: method = .rows
        default: method = .unproven
        }
        let isCounted = form != nil && rows.count > 0 && !compared.isEmpty
        return Independence(
            holdout: request.holdout.digest, method: method, rows: isCounted ? Int64(rows.count) : nil,
            overlapping: isCounted ? Int64(rows.found) : nil, places: rows.firsts,
            message: words.isEmpty ? nil : words.joined(separator: "; "))
    }
}

extension ArtifactFile {
    fileprivate var hasRows: Bool {
        switch kind {
        case .rows, .unreadRows: true
        case .marker, .rowHashes, .other: false
        }
    }

    /// Whatever a step could have read rows from.
    fileprivate var isData: Bool { kind != .marker && kind != .rowHashes }
}

extension RowProjection {
    /// Nil for a header.
    fileprivate mutating func hash(_ record: RecordStream.Record) -> RowHash? {
        switch record {
        case .header(let names):
            begin(names)
            return nil
        case .fields(let row): return hash(row)
        case .object(let object): return hash(object)
        }
    }
}

extension DataExpectation.Format {
    fileprivate var title: String { self == .csv ? "CSV" : "JSON Lines" }
}
