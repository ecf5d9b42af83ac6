/// The rows of the holdout, by their hashes, and which of them were found elsewhere: all that is held in memory.
struct HoldoutRows {
    private struct Place {
        var file: Int32
        var line: Int64
    }

    let limit: Int
    private var indices: [RowHash: Int32] = [:]
    /// Of each row, where it stands first.
    private var places: [Place] = []
    private var isFound: [Bool] = []
    private var files: [String] = []
    private(set) var found = 0
    /// The first ones that were found.
    private(set) var firsts: [Independence.Place] = []

    init(limit: Int) { self.limit = limit }

    /// Different ones.
    var count: Int { places.count }

    mutating func begin(file name: String) { files.append(name) }

    /// - Returns: false where there is no room for it.
    mutating func add(_ hash: RowHash, line: Int) -> Bool {
        guard indices[hash] == nil else { return true }
        guard places.count < limit else { return false }
        indices[hash] = Int32(places.count)
        places.append(Place(file: Int32(files.count - 1), line: Int64(line)))
        isFound.append(false)
        return true
    }

    /// A row that training has read.
    mutating func look(for hash: RowHash, in file: String, line: Int) {
        guard let index = indices[hash].map(Int.init), !isFound[index] else { return }
        isFound[index] = true
        found += 1
        guard firsts.count < Independence.mostPlaces else { return }
        let place = places[index]
        firsts.append(
            Independence.Place(
                holdout: "\(files[Int(place.file)]) line \(place.line)", training: "\(file) line \(line)"))
    }
}
