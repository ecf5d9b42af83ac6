/// A field that cannot stand, and what to do about it.
public struct FieldProblem: Sendable, Hashable, CustomStringConvertible {
    /// As users write it: `spec.template.spec.volumes[0].hostPath`.
    public var path: String
    public var message: String

    public init(_ path: String, _ message: String) {
        self.path = path
        self.message = message
    }

    public var description: String { "\(path): \(message)" }
}

extension [FieldProblem] {
    /// At most the first four, for a condition.
    var text: String {
        let shown = prefix(4).map(\.description).joined(separator: "; ")
        return count > 4 ? "\(shown); and \(count - 4) more" : shown
    }
}
