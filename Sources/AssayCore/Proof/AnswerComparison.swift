import JSON

/// Whether an answer is the recorded one, element by element.
///
/// Everything that was recorded must be there; what the answer has beside is not looked at. Numbers may differ by the
/// tolerance. Tensors of the Open Inference Protocol are found by their names, in whatever order they come, and their data
/// may be nested or flat, as the protocol lets it.
public struct AnswerComparison: Sendable {
    /// In the number's unit, and of numbers beyond 1 in parts of them.
    let tolerance: Double

    public init(tolerance: Double) { self.tolerance = tolerance }

    /// The first difference: where it is and what it is; nil where there is none.
    public func difference(_ answer: JSONValue, from recorded: JSONValue) -> String? {
        compare(answer, recorded, at: "")
    }

    private func compare(_ answer: JSONValue, _ recorded: JSONValue, at path: String) -> String? {
        switch recorded {
        case .integer, .number: return compareNumbers(answer, recorded, at: path)
        case .array(let elements):
            guard let others = answer.array else { return unlike(answer, recorded, at: path) }
            if Self.isTensors(elements) { return compareTensors(others, elements, at: path) }
            guard others.count == elements.count else {
                return "\(Self.shown(path)) has \(others.count) elements, and had \(elements.count)"
            }
            for (index, element) in elements.enumerated() {
                if let found = compare(others[index], element, at: "\(path)[\(index)]") { return found }
            }
            return nil
        case .object(let members):
            guard let others = answer.object else { return unlike(answer, recorded, at: path) }
            for (name, value) in members {
                let place = path.isEmpty ? name : "\(path).\(name)"
                guard let other = others[name] else { return "\(Self.shown(place)) is missing" }
                if let found = compare(other, value, at: place) { return found }
            }
            return nil
        case .null, .bool, .string:
            return answer == recorded ? nil : unlike(answer, recorded, at: path)
        }
    }

    /// NaN and infinities are no JSON numbers, and do not come here.
    private func compareNumbers(_ answer: JSONValue, _ recorded: JSONValue, at path: String) -> String? {
        guard let left = answer.double, let right = recorded.double else { return unlike(answer, recorded, at: path) }
        if abs(left - right) <= tolerance * max(1, abs(right)) { return nil }
        return "\(Self.shown(path)) is \(Number.exact(left)), and was \(Number.exact(right))"
    }

    /// Texts may be anybody's data; numbers and kinds are shown.
    private func unlike(_ answer: JSONValue, _ recorded: JSONValue, at path: String) -> String {
        if answer.typeName == recorded.typeName { return "\(Self.shown(path)) is another \(recorded.typeName)" }
        return "\(Self.shown(path)) is of the kind \(answer.typeName), and was of the kind \(recorded.typeName)"
    }

    private static func shown(_ path: String) -> String { path.isEmpty ? "the answer" : Text.limited(path, to: 120) }

    // MARK: Tensors

    private static func isTensors(_ elements: [JSONValue]) -> Bool {
        !elements.isEmpty && elements.allSatisfy { $0["name"]?.string != nil && $0["data"]?.array != nil }
    }

    private func compareTensors(_ answer: [JSONValue], _ recorded: [JSONValue], at path: String) -> String? {
        for tensor in recorded {
            let name = tensor["name"]?.string ?? ""
            let place = "\(path)[\(name)]"
            guard let other = answer.first(where: { $0["name"]?.string == name }) else {
                return "\(Self.shown(place)) is missing"
            }
            for field in ["shape", "datatype"] {
                guard let value = tensor[field] else { continue }
                if let found = compare(other[field] ?? .null, value, at: "\(place).\(field)") { return found }
            }
            let (left, right) = (Self.flat(other["data"] ?? .null), Self.flat(tensor["data"] ?? .null))
            if let found = compare(.array(left), .array(right), at: "\(place).data") { return found }
        }
        return nil
    }

    private static func flat(_ data: JSONValue) -> [JSONValue] {
        guard let elements = data.array else { return [data] }
        return elements.flatMap { $0.array == nil ? [$0] : flat($0) }
    }
}
