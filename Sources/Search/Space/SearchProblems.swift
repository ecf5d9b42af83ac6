/// A field that cannot stand, and what to do about it.
public struct SearchProblem: Sendable, Hashable, CustomStringConvertible {
    /// Below `spec.search`: `parameters[0].searchSpace.uniform.min`.
    public var path: String
    public var message: String

    init(_ path: String, _ message: String) {
        self.path = path
        self.message = message
    }

    public var description: String { "\(path): \(message)" }
}

/// All that cannot stand in a search.
public struct SearchProblems: Error, Hashable, CustomStringConvertible {
    /// At least one.
    public let problems: [SearchProblem]

    init(_ problems: [SearchProblem]) { self.problems = problems }

    public var description: String { problems.map(\.description).joined(separator: "; ") }
}
