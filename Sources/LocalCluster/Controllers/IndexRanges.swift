/// Indexes as a Job's status lists them: `0,2-5,9`.
struct IndexRanges {
    let indexes: Set<Int>

    init(_ indexes: Set<Int>) { self.indexes = indexes }

    init(_ text: String) {
        var result: Set<Int> = []
        for part in text.split(separator: ",") {
            let ends = part.split(separator: "-").compactMap { Int($0) }
            if let first = ends.first, let last = ends.last, first <= last { result.formUnion(first...last) }
        }
        indexes = result
    }

    var text: String {
        var parts: [String] = []
        var start: Int?
        for index in indexes.sorted() {
            if start == nil { start = index }
            if indexes.contains(index + 1) { continue }
            // Two that follow each other are listed one by one, as Kubernetes does.
            if let first = start {
                parts.append(first == index ? "\(index)" : "\(first)\(index == first + 1 ? "," : "-")\(index)")
            }
            start = nil
        }
        return parts.joined(separator: ",")
    }
}
