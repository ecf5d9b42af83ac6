import JSON
import KubernetesModel

/// Whether an object that the server has given back still has all that we want of it.
///
/// The server adds defaults, drops what is empty and writes quantities its own way, so equality would see drift where
/// there is none, and the operator would write for ever.
enum Coverage {
    static func covers(_ live: JSONValue?, _ wanted: JSONValue) -> Bool {
        guard let live, !live.isNull else { return isEmpty(wanted) }
        switch (live, wanted) {
        case (.object(let live), .object(let wanted)):
            return wanted.allSatisfy { covers(live[$0.key], $0.value) }
        case (.array(let live), .array(let wanted)): return covers(live, wanted)
        default: return live == wanted || isSameQuantity(live, wanted)
        }
    }

    /// Lists of named things are maps by name, to which others may have added; any other list is one value.
    private static func covers(_ live: [JSONValue], _ wanted: [JSONValue]) -> Bool {
        let names = wanted.compactMap { $0["name"]?.string }
        if !names.isEmpty, names.count == wanted.count, Set(names).count == names.count {
            return wanted.allSatisfy { element in
                let same = live.first { $0["name"] == element["name"] }
                return same.map { covers($0, element) } ?? false
            }
        }
        return live.count == wanted.count && zip(live, wanted).allSatisfy { covers($0, $1) }
    }

    /// What the server's `omitempty` leaves out.
    private static func isEmpty(_ value: JSONValue) -> Bool {
        switch value {
        case .null, .bool(false), .integer(0), .string(""): true
        case .array(let elements): elements.isEmpty
        case .object(let members): members.allSatisfy { isEmpty($0.value) }
        default: false
        }
    }

    private static func isSameQuantity(_ live: JSONValue, _ wanted: JSONValue) -> Bool {
        guard let live = quantity(live), let wanted = quantity(wanted) else { return false }
        return live == wanted
    }

    private static func quantity(_ value: JSONValue) -> Quantity? {
        guard let text = value.string ?? value.double.map({ Number.exact($0) }) else { return nil }
        do {
            return try Quantity(text)
        } catch {
            // Most texts are none.
            return nil
        }
    }
}
