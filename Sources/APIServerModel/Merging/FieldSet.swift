import JSON

/// One step of a path in `managedFields`.
enum PathElement: Hashable, Sendable {
    /// `f:name`
    case field(String)
    /// `k:{"name":"a"}`: the element of a list-map.
    case key(JSONObject)
    /// `v:"a"`: the element of a set.
    case value(JSONValue)
    /// `i:0`
    case index(Int)

    /// As `fieldsV1` writes it.
    var text: String {
        switch self {
        case .field(let name): "f:\(name)"
        case .key(let key): "k:\(JSONValue.object(key).serialized())"
        case .value(let value): "v:\(value.serialized())"
        case .index(let index): "i:\(index)"
        }
    }

    /// As conflicts name it: `.spec`, `[name="a"]`.
    var pathText: String {
        switch self {
        case .field(let name): ".\(name)"
        case .key(let key): "[\(key.map { "\($0)=\($1.serialized())" }.joined(separator: ","))]"
        case .value(let value): "[=\(value.serialized())]"
        case .index(let index): "[\(index)]"
        }
    }

    init?(_ text: String) {
        let rest = String(text.dropFirst(2))
        func parsed() -> JSONValue? {
            do {
                return try JSONValue(parsing: rest)
            } catch {
                return nil  // The caller ignores what no server has written.
            }
        }
        switch text.prefix(2) {
        case "f:": self = .field(rest)
        case "k:":
            guard let key = parsed()?.object else { return nil }
            self = .key(key)
        case "v:":
            guard let value = parsed() else { return nil }
            self = .value(value)
        case "i:":
            guard let index = Int(rest) else { return nil }
            self = .index(index)
        default: return nil
        }
    }
}

/// A set of paths, as a tree: what a manager owns. A node may itself be in the set, have members below it, or both.
struct FieldSet: Hashable, Sendable {
    /// Whether the path that leads here is in the set (`.` in `fieldsV1`, when there is more below).
    var isMember = false
    var children: [PathElement: FieldSet] = [:]

    init() {}

    init(isMember: Bool) { self.isMember = isMember }

    var isEmpty: Bool { !isMember && children.isEmpty }

    subscript(_ element: PathElement) -> FieldSet? { children[element] }

    mutating func insert(_ path: [PathElement]) { insert(path[...]) }

    private mutating func insert(_ path: ArraySlice<PathElement>) {
        guard let first = path.first else {
            isMember = true
            return
        }
        children[first, default: FieldSet()].insert(path.dropFirst())
    }

    func union(_ other: FieldSet) -> FieldSet {
        var result = self
        result.isMember = isMember || other.isMember
        result.children.merge(other.children) { $0.union($1) }
        return result
    }

    func intersection(_ other: FieldSet) -> FieldSet {
        var result = FieldSet(isMember: isMember && other.isMember)
        for (element, child) in children {
            guard let common = other.children[element].map(child.intersection), !common.isEmpty else { continue }
            result.children[element] = common
        }
        return result
    }

    func subtracting(_ other: FieldSet) -> FieldSet {
        var result = FieldSet(isMember: isMember && !other.isMember)
        for (element, child) in children {
            let rest = other.children[element].map(child.subtracting) ?? child
            if !rest.isEmpty { result.children[element] = rest }
        }
        return result
    }

    /// Without the members of `other` and all that is below them.
    func recursivelySubtracting(_ other: FieldSet) -> FieldSet {
        if other.isMember { return FieldSet() }
        var result = FieldSet(isMember: isMember)
        for (element, child) in children {
            let rest = other.children[element].map(child.recursivelySubtracting) ?? child
            if !rest.isEmpty { result.children[element] = rest }
        }
        return result
    }

    /// Every path in the set, in a fixed order.
    var paths: [[PathElement]] {
        var result: [[PathElement]] = []
        collect([], &result)
        return result
    }

    private func collect(_ prefix: [PathElement], _ result: inout [[PathElement]]) {
        if isMember { result.append(prefix) }
        for (element, child) in children.sorted(by: { $0.key.text < $1.key.text }) {
            child.collect(prefix + [element], &result)
        }
    }
}

extension FieldSet {
    /// Reads `fieldsV1`. A leaf without members of its own is in the set; so is a node that holds `.`.
    init(fieldsV1 json: JSONValue?) {
        for (name, value) in json?.object ?? [:] {
            guard name != ".", let element = PathElement(name) else { continue }
            var child = FieldSet(fieldsV1: value)
            child.isMember = child.children.isEmpty || value["."] != nil
            children[element] = child
        }
    }

    var fieldsV1: JSONValue {
        var result: [(String, JSONValue)] = []
        for (element, child) in children {
            var json = child.fieldsV1
            if child.isMember, !child.children.isEmpty { json["."] = [:] }
            result.append((element.text, json))
        }
        return .object(JSONObject(result))
    }
}
