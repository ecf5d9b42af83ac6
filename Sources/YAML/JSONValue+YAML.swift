public import JSON

/// Bounds on what a YAML text may hold, so that input from outside cannot exhaust memory or the stack.
public struct YAMLLimits: Sendable {
    /// How deep collections may nest.
    public var depth: Int
    /// How much all aliases of a text together may add: a node counts 1, a scalar also its length in bytes.
    public var aliasExpansion: Int

    public init(depth: Int = 512, aliasExpansion: Int = 4 << 20) {
        self.depth = depth
        self.aliasExpansion = aliasExpansion
    }

    public static let standard = YAMLLimits()
}

extension JSONValue {
    /// Reads one YAML document as Kubernetes does (sigs.k8s.io/yaml): YAML 1.1, so that a plain `yes` is true and `0o17`
    /// and `017` are 15; quoted scalars are strings; keys that are no strings become strings.
    ///
    /// An empty text is null. A key that occurs twice, NaN and the infinities are refused.
    public init(yaml: String, limits: YAMLLimits = .standard) throws(YAMLError) {
        let documents = try YAMLReader.read(yaml, limits: limits)
        if documents.count > 1 {
            throw documents[1].position.error("a second document begins here, where one was expected")
        }
        self = documents.first?.value ?? .null
    }

    /// Reads the documents of a text, divided by `---`. Empty documents, and null ones, are left out.
    public static func documents(yaml: String, limits: YAMLLimits = .standard) throws(YAMLError) -> [JSONValue] {
        try YAMLReader.read(yaml, limits: limits).map(\.value)
    }
}
