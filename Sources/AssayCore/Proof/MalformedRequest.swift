import JSON

/// A request that no server should take, made of one that it takes.
public struct MalformedRequest: Sendable, Hashable {
    /// What is wrong with it: `a string in place of inputs[0].data[0]`
    public var name: String
    public var contentType: String
    public var body: [UInt8]

    private static let json = "application/json"
    /// Of a text in place of a number: more than servers buffer, and no more than any of them would take in silence.
    private static let hugeBytes = 1 << 20
    /// Deeper than the parsers of most languages go by calling themselves.
    private static let deepLevels = 20_000

    private init(_ name: String, _ body: [UInt8], contentType: String = json) {
        self.name = name
        self.body = body
        self.contentType = contentType
    }

    private init(_ name: String, _ value: JSONValue) { self.init(name, value.serializedBytes()) }

    /// - Parameter request: the body of a good request.
    public static func all(of request: JSONValue) -> [MalformedRequest] {
        let whole = request.serializedBytes()
        var result = [
            MalformedRequest("an empty body", []),
            MalformedRequest("a body that ends in the middle", Array(whole.prefix(whole.count / 2))),
            MalformedRequest("a body that is no JSON", Array("good day\n".utf8)),
            MalformedRequest("a list of nothing in place of the request", [UInt8]("[]".utf8)),
            MalformedRequest("the content type application/xml", whole, contentType: "application/xml"),
        ]
        result += ofMembers(request)
        result += ofLeaf(request)
        return result
    }

    private static func ofMembers(_ request: JSONValue) -> [MalformedRequest] {
        guard let members = request.object else { return [] }
        var result: [MalformedRequest] = []
        // Of the Open Inference Protocol's fields the others may be left out.
        let isTensors = request["inputs"]?.array != nil
        for (name, value) in members where !isTensors || name == "inputs" {
            var without = request
            without[name] = nil
            result.append(MalformedRequest("no \(name)", without))
            var other = request
            other[name] = value.array == nil ? [] : "text"
            result.append(MalformedRequest("another kind of value for \(name)", other))
        }
        var more = request
        more["assay_no_such_field"] = 1
        result.append(MalformedRequest("a field that nobody knows", more))
        return result
    }

    /// What stands in place of the first number, or where there is none of the first value that is no list or object.
    private static func ofLeaf(_ request: JSONValue) -> [MalformedRequest] {
        guard let path = firstLeaf(of: request, isNumber: true) ?? firstLeaf(of: request, isNumber: false) else {
            return []
        }
        let place = text(path)
        let mark = "assay-mark-of-the-place"
        let marked = String(
            decoding: replacing(path[...], in: request, by: .string(mark)).serializedBytes(), as: UTF8.self)
        func with(_ name: String, _ literal: [UInt8]) -> MalformedRequest? {
            guard let range = marked.firstRange(of: "\"\(mark)\"") else { return nil }
            return MalformedRequest(
                "\(name) in place of \(place)",
                Array(marked[..<range.lowerBound].utf8) + literal + Array(marked[range.upperBound...].utf8))
        }
        let nested =
            [UInt8](repeating: UInt8(ascii: "["), count: deepLevels)
            + [UInt8](repeating: UInt8(ascii: "]"), count: deepLevels)
        let huge = Array("\"".utf8) + [UInt8](repeating: UInt8(ascii: "x"), count: hugeBytes) + Array("\"".utf8)
        return [
            with("a text", Array("\"text\"".utf8)), with("null", Array("null".utf8)),
            with("an object", Array("{}".utf8)),
            with("NaN", Array("NaN".utf8)), with("1e999", Array("1e999".utf8)),
            with("\(deepLevels) lists in each other", nested), with("a text of \(hugeBytes) bytes", huge),
        ].compactMap { $0 }
    }

    // MARK: Places

    private enum Part: Hashable {
        case member(String)
        case element(Int)
    }

    private static func firstLeaf(of value: JSONValue, isNumber: Bool) -> [Part]? {
        switch value {
        case .array(let elements):
            for (index, element) in elements.enumerated() {
                if let rest = firstLeaf(of: element, isNumber: isNumber) { return [.element(index)] + rest }
            }
            return nil
        case .object(let members):
            // Before a tensor's shape, which is numbers too.
            let names = members.members.map(\.key)
            for name in names.filter({ $0 == "data" }) + names.filter({ $0 != "data" }) {
                guard let member = members[name], let rest = firstLeaf(of: member, isNumber: isNumber) else { continue }
                return [.member(name)] + rest
            }
            return nil
        case .integer, .number: return []
        case .null, .bool, .string: return isNumber ? nil : []
        }
    }

    private static func replacing(_ path: ArraySlice<Part>, in value: JSONValue, by new: JSONValue) -> JSONValue {
        guard let first = path.first else { return new }
        var result = value
        switch first {
        case .member(let name):
            result[name] = replacing(path.dropFirst(), in: value[name] ?? .null, by: new)
        case .element(let index):
            guard var elements = value.array else { return value }
            elements[index] = replacing(path.dropFirst(), in: elements[index], by: new)
            result = .array(elements)
        }
        return result
    }

    private static func text(_ path: [Part]) -> String {
        var result = ""
        for part in path {
            switch part {
            case .member(let name): result += result.isEmpty ? name : ".\(name)"
            case .element(let index): result += "[\(index)]"
            }
        }
        return result.isEmpty ? "the request" : Text.limited(result, to: 80)
    }
}
