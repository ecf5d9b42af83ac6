import JSON

/// RFC 6902, as `application/json-patch+json` asks for it.
enum JSONPatch {
    /// - Throws: 422 for a patch that does not apply, 400 for one that is not a patch.
    static func apply(_ patch: JSONValue, to document: JSONValue) throws(APIFailure) -> JSONValue {
        guard let operations = patch.array else { throw .badRequest("a JSON patch must be an array of operations") }
        var result = document
        for operation in operations { result = try apply(operation: operation, to: result) }
        return result
    }

    private static func apply(operation: JSONValue, to document: JSONValue) throws(APIFailure) -> JSONValue {
        guard let name = operation["op"]?.string, let pointer = operation["path"]?.string else {
            throw .badRequest("an operation of a JSON patch needs \"op\" and \"path\"")
        }
        let path = try tokens(pointer)
        let value = operation["value"] ?? .null
        switch name {
        case "add": return try edited(document, path[...]) { .insert(value, $0) }
        case "replace":
            return try edited(document, path[...]) { old throws(APIFailure) in
                guard old != nil else { throw failure("replace operation does not apply: missing value at \(pointer)") }
                return .set(value)
            }
        case "remove":
            return try edited(document, path[...]) { old throws(APIFailure) in
                guard old != nil else { throw failure("remove operation does not apply: missing value at \(pointer)") }
                return .remove
            }
        case "test":
            guard lookUp(document, path[...]) ?? .null == value else {
                throw failure("testing value \(pointer) failed: test failed")
            }
            return document
        case "move", "copy":
            guard let from = operation["from"]?.string else { throw .badRequest("\"\(name)\" needs \"from\"") }
            let source = try tokens(from)
            guard let moved = lookUp(document, source[...]) else {
                throw failure("\(name) operation does not apply: missing value at \(from)")
            }
            let base = name == "copy" ? document : try edited(document, source[...]) { _ in .remove }
            return try edited(base, path[...]) { .insert(moved, $0) }
        default: throw failure("Unexpected kind: \(name)")
        }
    }

    private static func failure(_ message: String) -> APIFailure {
        APIFailure(422, "Invalid", "the server rejected our request due to an error in our request: \(message)")
    }

    private static func tokens(_ pointer: String) throws(APIFailure) -> [String] {
        if pointer.isEmpty { return [] }
        guard pointer.hasPrefix("/") else { throw .badRequest("a JSON pointer must begin with \"/\": \"\(pointer)\"") }
        return pointer.split(separator: "/", omittingEmptySubsequences: false).dropFirst().map { token in
            token.split(separator: "~1", omittingEmptySubsequences: false).joined(separator: "/")
                .split(separator: "~0", omittingEmptySubsequences: false).joined(separator: "~")
        }
    }

    private static func lookUp(_ value: JSONValue, _ path: ArraySlice<String>) -> JSONValue? {
        guard let first = path.first else { return value }
        let next: JSONValue?
        if value.array != nil { next = Int(first).flatMap { value[$0] } } else { next = value[first] }
        return next.flatMap { lookUp($0, path.dropFirst()) }
    }

    private enum Edit {
        case set(JSONValue)
        /// Into a list: before the element that is there. Into an object: in place of it.
        case insert(JSONValue, JSONValue?)
        case remove
    }

    private static func edited(
        _ value: JSONValue, _ path: ArraySlice<String>, _ edit: (JSONValue?) throws(APIFailure) -> Edit
    ) throws(APIFailure) -> JSONValue {
        guard let first = path.first else {
            switch try edit(value) {
            case .set(let new), .insert(let new, _): return new
            case .remove: return .null
            }
        }
        if var elements = value.array {
            let index = first == "-" ? elements.count : Int(first) ?? -1
            guard index >= 0, index <= elements.count else { throw failure("index \(first) is out of bounds") }
            if path.count > 1 {
                guard index < elements.count else { throw failure("index \(first) is out of bounds") }
                elements[index] = try edited(elements[index], path.dropFirst(), edit)
                return .array(elements)
            }
            switch try edit(index < elements.count ? elements[index] : nil) {
            case .set(let new): elements[index] = new
            case .insert(let new, _): elements.insert(new, at: index)
            case .remove: elements.remove(at: index)
            }
            return .array(elements)
        }
        guard var object = value.object else { throw failure("missing parent of \"\(first)\"") }
        if path.count > 1 {
            guard let child = object[first] else { throw failure("missing path: \"\(first)\"") }
            object[first] = try edited(child, path.dropFirst(), edit)
            return .object(object)
        }
        switch try edit(object[first]) {
        case .set(let new), .insert(let new, _): object[first] = new
        case .remove: object[first] = nil
        }
        return .object(object)
    }
}
