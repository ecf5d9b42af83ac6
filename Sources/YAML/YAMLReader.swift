internal import JSON

/// Builds values from events on a stack of its own, so that depth costs no call stack.
struct YAMLReader {
    struct Document {
        var value: JSONValue
        var position: YAMLPosition
    }

    /// A finished value and how much it counts against `YAMLLimits.aliasExpansion`.
    private struct Node {
        var value: JSONValue
        var weight: Int
    }

    private enum Key {
        case name(String)
        case merge
    }

    private struct Collection {
        var isMapping: Bool
        var anchor: String?
        var position: YAMLPosition
        var weight = 1
        var elements: [JSONValue] = []
        var members: [(String, JSONValue)] = []
        /// As bytes: Swift holds composed and decomposed forms of a character for equal.
        var names: Set<[UInt8]> = []
        /// What `<<` brought; members written out win over these, and earlier ones over later ones.
        var merged: [JSONObject] = []
        var key: Key?
    }

    private let limits: YAMLLimits
    private var stack: [Collection] = []
    private var anchors: [String: Node] = [:]
    private var expanded = 0
    private var root: Document?
    private var documents: [Document] = []

    private init(limits: YAMLLimits) { self.limits = limits }

    static func read(_ text: String, limits: YAMLLimits) throws(YAMLError) -> [Document] {
        var text = text
        let result: Result<[Document], YAMLError> = text.withUTF8 { bytes in
            do throws(YAMLError) {
                var reader = YAMLReader(limits: limits)
                var events = try YAMLEvents(bytes)
                while try reader.take(events.next()) {}
                return .success(reader.documents)
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    /// Returns false at the end of the stream.
    private mutating func take(_ event: YAMLEvent) throws(YAMLError) -> Bool {
        switch event.kind {
        case .streamEnd: return false
        case .other: break
        case .documentStart: anchors = [:]
        case .documentEnd:
            if let root, !root.value.isNull { documents.append(root) }
            root = nil
        case .scalar(let scalar): try take(scalar, event)
        case .sequenceStart: try open(event, isMapping: false)
        case .mappingStart: try open(event, isMapping: true)
        case .sequenceEnd, .mappingEnd: try close()
        case .alias(let name):
            guard let node = anchors[name] else {
                throw event.position.error("no finished value before this is anchored as `&\(name)`")
            }
            expanded += node.weight
            if expanded > limits.aliasExpansion { throw event.position.error("the aliases expand to too much") }
            try add(node, at: event.position)
        }
        return true
    }

    private mutating func take(_ scalar: YAMLScalar, _ event: YAMLEvent) throws(YAMLError) {
        if let last = stack.indices.last, stack[last].isMapping, stack[last].key == nil, scalar.isMergeKey {
            stack[last].key = .merge
            return
        }
        let node = Node(value: try scalar.resolved(at: event.position), weight: 1 + scalar.text.utf8.count)
        if let anchor = event.anchor { anchors[anchor] = node }
        try add(node, at: event.position)
    }

    private mutating func open(_ event: YAMLEvent, isMapping: Bool) throws(YAMLError) {
        if stack.count >= limits.depth { throw event.position.error("nested deeper than \(limits.depth)") }
        if let parent = stack.last, parent.isMapping, parent.key == nil {
            throw event.position.error("a key must be a scalar")
        }
        stack.append(Collection(isMapping: isMapping, anchor: event.anchor, position: event.position))
    }

    private mutating func close() throws(YAMLError) {
        guard let collection = stack.popLast() else { return }
        let value: JSONValue
        if collection.isMapping {
            var pairs = collection.members
            if !collection.merged.isEmpty {
                pairs = collection.merged.reversed().flatMap { $0.map { ($0.key, $0.value) } } + pairs
            }
            value = .object(JSONObject(pairs))
        } else {
            value = .array(collection.elements)
        }
        let node = Node(value: value, weight: collection.weight)
        if let anchor = collection.anchor { anchors[anchor] = node }
        try add(node, at: collection.position)
    }

    private mutating func add(_ node: Node, at position: YAMLPosition) throws(YAMLError) {
        guard let last = stack.indices.last else {
            root = Document(value: node.value, position: position)
            return
        }
        stack[last].weight += node.weight
        guard stack[last].isMapping else {
            stack[last].elements.append(node.value)
            return
        }
        switch stack[last].key {
        case nil:
            let name = try Self.key(node.value, at: position)
            guard stack[last].names.insert(Array(name.utf8)).inserted else {
                throw position.error("the key `\(name)` is already set in this mapping")
            }
            stack[last].key = .name(name)
        case .name(let name):
            stack[last].members.append((name, node.value))
            stack[last].key = nil
        case .merge:
            stack[last].merged += try Self.mappings(node.value, at: position)
            stack[last].key = nil
        }
    }

    private static func key(_ value: JSONValue, at position: YAMLPosition) throws(YAMLError) -> String {
        switch value {
        case .string(let text): return text
        case .bool(let value): return value ? "true" : "false"
        case .integer(let value): return String(value)
        case .number: return value.serialized()
        case .null, .array, .object: throw position.error("a key cannot be \(value.typeName)")
        }
    }

    private static func mappings(_ value: JSONValue, at position: YAMLPosition) throws(YAMLError) -> [JSONObject] {
        let values = value.array ?? [value]
        let objects = values.compactMap(\.object)
        if objects.count != values.count { throw position.error("`<<` takes a mapping or a list of mappings") }
        return objects
    }
}
