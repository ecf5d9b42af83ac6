import JSON
import KubernetesModel

/// A body that cannot be read as protobuf.
struct ProtobufError: Error, Sendable, Hashable, CustomStringConvertible {
    var description: String
}

/// Reads request bodies in the protobuf form of Kubernetes, which kubectl since 1.33 sends for built-in kinds.
///
/// https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding
enum ProtobufBody {
    static let mediaType = "application/vnd.kubernetes.protobuf"

    private enum Wire {
        case integer(UInt64)
        case bytes(ArraySlice<UInt8>)

        /// As it is for a field that was not set.
        var isZero: Bool {
            switch self {
            case .integer(let value): value == 0
            case .bytes(let bytes): bytes.isEmpty
            }
        }
    }

    /// The document in a body: four bytes of magic, then a `runtime.Unknown` with its kind and content.
    static func json(_ body: [UInt8]) throws(ProtobufError) -> JSONValue {
        guard body.starts(with: [0x6B, 0x38, 0x73, 0x00]) else {
            throw ProtobufError(description: "the body does not begin like protobuf of Kubernetes")
        }
        var apiVersion = ""
        var kind = ""
        var content: ArraySlice<UInt8> = []
        try fields(body.dropFirst(4)) { (number, wire) throws(ProtobufError) in
            guard case .bytes(let bytes) = wire else { return }
            if number == 2 { content = bytes }
            if number != 1 { return }
            try fields(bytes) { (number, wire) throws(ProtobufError) in
                guard case .bytes(let text) = wire else { return }
                if number == 1 { apiVersion = String(decoding: text, as: UTF8.self) }
                if number == 2 { kind = String(decoding: text, as: UTF8.self) }
            }
        }
        var object = try message(kind, content)
        object["apiVersion"] = .string(apiVersion)
        object["kind"] = .string(kind)
        return .object(object)
    }

    private static func message(_ name: String, _ bytes: ArraySlice<UInt8>) throws(ProtobufError) -> JSONObject {
        guard let known = ProtobufFields.messages[name] else {
            throw ProtobufError(description: "\(name) is not understood in protobuf; send JSON")
        }
        var result = JSONObject()
        try fields(bytes) { (number, wire) throws(ProtobufError) in
            guard let field = known[number] else {
                if wire.isZero { return }
                throw ProtobufError(description: "field \(number) of \(name) is not understood in protobuf; send JSON")
            }
            try add(field, wire, to: &result)
        }
        return result
    }

    private static func add(
        _ field: ProtobufFields.Field, _ wire: Wire, to object: inout JSONObject
    ) throws(ProtobufError) {
        if field.isInline {
            guard case .bytes(let bytes) = wire, case .message(let name) = field.kind else { return }
            for member in try message(name, bytes) { object[member.key] = member.value }
        } else if field.isMap {
            guard case .bytes(let bytes) = wire else { return }
            let (key, value) = try entry(field, bytes)
            var map = object[field.name]?.object ?? [:]
            map[key] = value
            object[field.name] = .object(map)
        } else if field.isRepeated {
            guard let value = try value(field.kind, wire, keepsZero: true) else { return }
            object[field.name] = .array((object[field.name]?.array ?? []) + [value])
        } else if let value = try value(field.kind, wire, keepsZero: field.keepsZero) {
            object[field.name] = value
        }
    }

    private static func entry(
        _ field: ProtobufFields.Field, _ bytes: ArraySlice<UInt8>
    ) throws(ProtobufError) -> (String, JSONValue) {
        var key = ""
        var value: JSONValue = ""
        try fields(bytes) { (number, wire) throws(ProtobufError) in
            if number == 1, case .bytes(let text) = wire { key = String(decoding: text, as: UTF8.self) }
            if number == 2, let read = try self.value(field.kind, wire, keepsZero: true) { value = read }
        }
        return (key, value)
    }

    /// Nil for what counts as not set.
    private static func value(
        _ kind: ProtobufFields.Kind, _ wire: Wire, keepsZero: Bool
    ) throws(ProtobufError) -> JSONValue? {
        switch (kind, wire) {
        case (.ignored, _): return nil
        case (.integer, .integer(let value)):
            return value == 0 && !keepsZero ? nil : .integer(Int64(bitPattern: value))
        case (.bool, .integer(let value)): return value == 0 && !keepsZero ? nil : .bool(value != 0)
        case (.string, .bytes(let bytes)):
            return bytes.isEmpty && !keepsZero ? nil : .string(String(decoding: bytes, as: UTF8.self))
        case (.bytes, .bytes(let bytes)): return .string(Base64.encode(bytes))
        case (.quantity, .bytes(let bytes)): return try texts(bytes)[1].map { .string($0) }
        case (.time, .bytes(let bytes)):
            let seconds = try integers(bytes)[1] ?? 0
            return seconds == 0 ? nil : .string(Timestamp(seconds: Int64(bitPattern: seconds)).description)
        case (.intOrString, .bytes(let bytes)):
            let numbers = try integers(bytes)
            if numbers[1] == 1 { return .string(try texts(bytes)[3] ?? "") }
            let number = Int64(bitPattern: numbers[2] ?? 0)
            return number == 0 && !keepsZero ? nil : .integer(number)
        case (.message(let name), .bytes(let bytes)): return .object(try message(name, bytes))
        default: throw ProtobufError(description: "a field has the wrong type on the wire")
        }
    }

    private static func texts(_ bytes: ArraySlice<UInt8>) throws(ProtobufError) -> [UInt64: String] {
        var result: [UInt64: String] = [:]
        try fields(bytes) { (number, wire) throws(ProtobufError) in
            if case .bytes(let text) = wire { result[number] = String(decoding: text, as: UTF8.self) }
        }
        return result
    }

    private static func integers(_ bytes: ArraySlice<UInt8>) throws(ProtobufError) -> [UInt64: UInt64] {
        var result: [UInt64: UInt64] = [:]
        try fields(bytes) { (number, wire) throws(ProtobufError) in
            if case .integer(let value) = wire { result[number] = value }
        }
        return result
    }

    // MARK: The wire

    private static func fields(
        _ bytes: ArraySlice<UInt8>, _ body: (UInt64, Wire) throws(ProtobufError) -> Void
    ) throws(ProtobufError) {
        var rest = bytes
        while !rest.isEmpty {
            let tag = try variableInteger(&rest)
            switch tag & 7 {
            case 0: try body(tag >> 3, .integer(try variableInteger(&rest)))
            case 1: try body(tag >> 3, .bytes(try take(8, &rest)))
            case 2: try body(tag >> 3, .bytes(try take(try variableInteger(&rest), &rest)))
            case 5: try body(tag >> 3, .bytes(try take(4, &rest)))
            default: throw ProtobufError(description: "the body has a field of an unknown wire type")
            }
        }
    }

    private static func take(_ count: UInt64, _ rest: inout ArraySlice<UInt8>) throws(ProtobufError) -> ArraySlice<
        UInt8
    > {
        guard count <= UInt64(rest.count) else { throw ProtobufError(description: "the body is cut off") }
        let result = rest.prefix(Int(count))
        rest = rest.dropFirst(Int(count))
        return result
    }

    private static func variableInteger(_ rest: inout ArraySlice<UInt8>) throws(ProtobufError) -> UInt64 {
        var result: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 70, by: 7) {
            guard let byte = rest.popFirst() else { throw ProtobufError(description: "the body is cut off") }
            result |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return result }
        }
        throw ProtobufError(description: "a number of the body is too long")
    }
}
