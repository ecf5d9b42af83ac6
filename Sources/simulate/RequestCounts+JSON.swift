import JSON
import Simulation

extension Simulation.RequestCounts {
    mutating func add(_ other: Self) {
        all += other.all
        served += other.served
        refused += other.refused
        broken += other.broken
        unreached += other.unreached
    }

    /// As a process tells it to the one that started it.
    var json: JSONValue {
        .array([all, served, refused, broken, unreached].map { JSONValue($0) })
    }

    init(json cursor: JSONCursor) throws(JSONShapeError) {
        self.init()
        let numbers = try cursor.elements().map { element throws(JSONShapeError) in try element.int() }
        guard numbers.count == 5 else { throw cursor.failure("must be five numbers") }
        (all, served, refused, broken, unreached) = (numbers[0], numbers[1], numbers[2], numbers[3], numbers[4])
    }
}
