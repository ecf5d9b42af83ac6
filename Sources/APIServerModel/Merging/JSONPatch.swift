import JSON

/// JSON Patch (RFC 6902), as the API server applies `application/json-patch+json`.
public enum JSONPatch {
    /// The most operations that the API server takes in one patch.
    public static let maximumOperations = 10_000

    public static func apply(_ patch: JSONValue, to document: JSONValue) throws(MergeError) -> JSONValue {
        guard let operations = patch.array else {
            throw MergeError(.malformed, "a JSON patch must be an array of operations, not \(patch.typeName)")
        }
        guard operations.count <= maximumOperations else {
            throw MergeError(.malformed, "the JSON patch has \(operations.count) operations, more than 10000")
        }
        var result = document
        for operation in operations { try apply(operation: operation, to: &result) }
        return result
    }

    private static func apply(operation: JSONValue, to document: inout JSONValue) throws(MergeError) {
        guard let name = operation["op"]?.string else {
            throw MergeError(.malformed, "an operation of a JSON patch has no \"op\"")
        }
        let path = try pointer(operation, "path")
        switch name {
        case "add": try edit(&document, path, .add(try value(operation)))
        case "remove": try edit(&document, path, .remove)
        case "replace": try edit(&document, path, .replace(try value(operation)))
        case "test":
            let found = read(document, path) ?? .null
            guard found.isSame(as: try value(operation)) else {
                throw MergeError(.inapplicable, "testing value \(text(path)) failed")
            }
        case "move", "copy":
            let from = try pointer(operation, "from")
            guard let moved = read(document, from) else {
                throw MergeError(.inapplicable, "\(name) operation does not apply: doc is missing path: \(text(from))")
            }
            if name == "move" {
                if path.starts(with: from), path != from {
                    throw MergeError(.inapplicable, "move operation moves \(text(from)) into itself")
                }
                try edit(&document, from, .remove)
            }
            try edit(&document, path, .add(moved))
        default:
            throw MergeError(.malformed, "unexpected kind of JSON patch operation: \"\(name)\"")
        }
    }

    private static func value(_ operation: JSONValue) throws(MergeError) -> JSONValue {
        guard let value = operation["value"] else {
            throw MergeError(.malformed, "an operation of a JSON patch has no \"value\"")
        }
        return value
    }

    private static func text(_ path: [String]) -> String { path.map { "/" + $0 }.joined() }

    /// A JSON Pointer (RFC 6901).
    private static func pointer(_ operation: JSONValue, _ member: String) throws(MergeError) -> [String] {
        guard let text = operation[member]?.string, text.isEmpty || text.hasPrefix("/") else {
            throw MergeError(.malformed, "an operation of a JSON patch has no valid \"\(member)\"")
        }
        return text.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map { part in
            var result = ""
            var isEscaped = false
            for character in part.unicodeScalars {
                if isEscaped {
                    result.unicodeScalars.append(character == "1" ? "/" : "~")
                    isEscaped = false
                } else if character == "~" {
                    isEscaped = true
                } else {
                    result.unicodeScalars.append(character)
                }
            }
            return result
        }
    }

    private static func read(_ document: JSONValue, _ path: [String]) -> JSONValue? {
        var value = document
        for part in path {
            let next: JSONValue? =
                if case .array = value { Int(part).flatMap { value[$0] } } else { value[part] }
            guard let next else { return nil }
            value = next
        }
        return value
    }

    fileprivate enum Edit {
        case add(JSONValue)
        case remove
        case replace(JSONValue)
    }

    private static func edit(_ value: inout JSONValue, _ path: [String], _ edit: Edit) throws(MergeError) {
        guard let first = path.first else {
            switch edit {
            case .add(let new), .replace(let new): value = new
            case .remove: value = .null
            }
            return
        }
        let missing = MergeError(.inapplicable, "\(edit) operation does not apply: doc is missing path: \(text(path))")
        if path.count > 1 {
            guard var child = read(value, [first]) else { throw missing }
            try self.edit(&child, Array(path.dropFirst()), edit)
            set(&value, first, child)
            return
        }
        switch value {
        case .object(var object):
            switch edit {
            case .add(let new): object[first] = new
            case .replace(let new):
                guard object[first] != nil else { throw missing }
                object[first] = new
            case .remove:
                guard object.removeValue(forKey: first) != nil else { throw missing }
            }
            value = .object(object)
        case .array(var elements):
            try self.edit(&elements, first, edit)
            value = .array(elements)
        default: throw missing
        }
    }

    private static func set(_ value: inout JSONValue, _ name: String, _ child: JSONValue) {
        if case .array(var elements) = value, let index = Int(name), elements.indices.contains(index) {
            elements[index] = child
            value = .array(elements)
        } else {
            value[name] = child
        }
    }

    private static func edit(_ elements: inout [JSONValue], _ part: String, _ edit: Edit) throws(MergeError) {
        let index = part == "-" ? elements.count : Int(part) ?? -1
        let missing = MergeError(.inapplicable, "the array has no index \"\(part)\"")
        switch edit {
        case .add(let new):
            guard (0...elements.count).contains(index) else { throw missing }
            elements.insert(new, at: index)
        case .replace(let new):
            guard elements.indices.contains(index) else { throw missing }
            elements[index] = new
        case .remove:
            guard elements.indices.contains(index) else { throw missing }
            elements.remove(at: index)
        }
    }
}

extension JSONPatch.Edit: CustomStringConvertible {
    fileprivate var description: String {
        switch self {
        case .add: "add"
        case .remove: "remove"
        case .replace: "replace"
        }
    }
}
