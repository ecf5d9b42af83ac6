import JSON

/// The types of the built-in kinds, as far as the local server serves them.
enum BuiltinTypes {
    private static let language = TypeLanguage(
        [metaText, coreText, podText, workloadText, otherText].joined(separator: "\n"))

    /// What of the notation could not be read; empty.
    static var problems: [String] { language.problems }

    static let objectMeta: Schema = schema("ObjectMeta")

    static func schema(_ name: String) -> Schema { language.types[name] ?? .any }

    /// The schema of a kind with `apiVersion`, `kind` and `metadata`.
    static func resource(_ name: String) -> Schema { schema(name).asResource }
}
