/// The way to a value in a document. It becomes a text only where something is wrong with the value.
struct FieldTrail {
    private enum Step {
        case name(String)
        case index(Int)
    }

    private let root: String
    private var steps: [Step] = []

    /// - Parameter root: where the document itself stands; empty for a whole one.
    init(_ root: String) { self.root = root }

    /// As users write it: `spec.containers[0].name`.
    var text: String {
        var result = root
        for step in steps {
            switch step {
            case .name(let name): result += result.isEmpty ? name : ".\(name)"
            case .index(let index): result += "[\(index)]"
            }
        }
        return result
    }

    /// Calls `body` with the member's place.
    mutating func descend<Result>(to name: String, _ body: (inout FieldTrail) -> Result) -> Result {
        steps.append(.name(name))
        defer { steps.removeLast() }
        return body(&self)
    }

    /// Calls `body` with the element's place.
    mutating func descend<Result>(to index: Int, _ body: (inout FieldTrail) -> Result) -> Result {
        steps.append(.index(index))
        defer { steps.removeLast() }
        return body(&self)
    }
}
