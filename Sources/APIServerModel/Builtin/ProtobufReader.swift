import JSON
import KubernetesModel

/// Why an object in protobuf form was not read.
struct ProtobufError: Error, Sendable, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}

/// Reads `application/vnd.kubernetes.protobuf`, in which kubectl 1.33 and newer sends the objects that it makes itself
/// (`kubectl create namespace`, `kubectl auth can-i`); what it reads from files it sends as JSON.
enum ProtobufReader {
    /// `k8s\0`, and a `runtime.Unknown` with the object inside.
    static func object(_ bytes: [UInt8]) throws(ProtobufError) -> JSONValue {
        guard bytes.starts(with: [0x6B, 0x38, 0x73, 0]) else { throw ProtobufError("the object has no k8s prefix") }
        var apiVersion = ""
        var kind = ""
        var raw: ArraySlice<UInt8> = []
        for field in try fields(bytes.dropFirst(4)) {
            switch field.number {
            case 1:
                for part in try fields(try field.bytes()) {
                    if part.number == 1 { apiVersion = try part.string() }
                    if part.number == 2 { kind = try part.string() }
                }
            case 2: raw = try field.bytes()
            default: break
            }
        }
        guard ProtobufTypes.roots.contains(kind) else {
            throw ProtobufError("objects of kind \(kind) are read as JSON and YAML only")
        }
        var result = try message(raw, type: kind)
        result["apiVersion"] = .string(apiVersion)
        result["kind"] = .string(kind)
        return result
    }

    struct Field {
        enum Value {
            case number(UInt64)
            case bytes(ArraySlice<UInt8>)
        }

        var number: UInt64
        var value: Value

        var isEmpty: Bool {
            switch value {
            case .number(let number): number == 0
            case .bytes(let bytes): bytes.isEmpty
            }
        }

        func bytes() throws(ProtobufError) -> ArraySlice<UInt8> {
            guard case .bytes(let bytes) = value else { throw ProtobufError("field \(number) is a number") }
            return bytes
        }

        func string() throws(ProtobufError) -> String {
            guard let text = String(validating: try bytes(), as: UTF8.self) else {
                throw ProtobufError("field \(number) is no UTF-8")
            }
            return text
        }

        func integer() throws(ProtobufError) -> Int64 {
            guard case .number(let number) = value else { throw ProtobufError("field \(self.number) is no number") }
            return Int64(bitPattern: number)
        }
    }

    static func fields(_ bytes: ArraySlice<UInt8>) throws(ProtobufError) -> [Field] {
        var rest = bytes
        var result: [Field] = []
        while !rest.isEmpty {
            let key = try variableLength(&rest)
            switch key & 7 {
            case 0: result.append(Field(number: key >> 3, value: .number(try variableLength(&rest))))
            case 2:
                let length = try variableLength(&rest)
                guard length <= UInt64(rest.count) else { throw ProtobufError("the object is cut off") }
                result.append(Field(number: key >> 3, value: .bytes(rest.prefix(Int(length)))))
                rest = rest.dropFirst(Int(length))
            default: throw ProtobufError("wire type \(key & 7) is not used by Kubernetes")
            }
        }
        return result
    }

    private static func variableLength(_ rest: inout ArraySlice<UInt8>) throws(ProtobufError) -> UInt64 {
        var result: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            guard let byte = rest.popFirst() else { throw ProtobufError("the object is cut off") }
            result |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return result }
        }
        throw ProtobufError("a number is too long")
    }
}

extension ProtobufReader {
    private static func message(_ bytes: ArraySlice<UInt8>, type name: String) throws(ProtobufError) -> JSONValue {
        guard let type = ProtobufTypes.messages[name] else { throw ProtobufError("\(name) is not known") }
        var result: JSONValue = [:]
        for field in try fields(bytes) {
            guard let known = type[field.number] else {
                // What Go has no pointer for is sent even when it is empty.
                if field.isEmpty { continue }
                throw ProtobufError("field \(field.number) of \(name) is read as JSON and YAML only")
            }
            guard let value = try value(field, of: known.type) else { continue }
            switch known.type {
            case .list:
                result[known.name] = .array((result[known.name]?.array ?? []) + [value])
            case .map:
                var map = result[known.name]?.object ?? [:]
                for (key, entry) in value.object ?? [:] { map[key] = entry }
                result[known.name] = .object(map)
            default:
                // What Go has no pointer for is always sent; its zero means that it is absent.
                let isZero = value == "" || value == 0 || value == false || value == [:]
                if known.isPointer || !isZero { result[known.name] = value }
            }
        }
        return result
    }

    private static func value(_ field: Field, of type: ProtobufTypes.FieldType) throws(ProtobufError) -> JSONValue? {
        switch type {
        case .ignored: return nil
        case .string: return .string(try field.string())
        case .integer: return .integer(try field.integer())
        case .bool: return .bool(try field.integer() != 0)
        case .bytes: return .string(Base64.encode(Array(try field.bytes())))
        case .message(let name):
            if let value = try special(field, name) { return value }
            return try message(try field.bytes(), type: name)
        case .list(let element): return try value(field, of: element)
        case .map(let element):
            var key = ""
            var entry: JSONValue?
            for part in try fields(try field.bytes()) {
                if part.number == 1 { key = try part.string() }
                if part.number == 2 { entry = try value(part, of: element) }
            }
            return .object([key: entry ?? ""])
        }
    }

    /// Types that JSON writes in a form of their own.
    private static func special(_ field: Field, _ name: String) throws(ProtobufError) -> JSONValue? {
        guard ["Quantity", "Time", "IntOrString"].contains(name) else { return nil }
        var parts: [UInt64: Field] = [:]
        for part in try fields(try field.bytes()) { parts[part.number] = part }
        switch name {
        case "Quantity": return .string(try parts[1]?.string() ?? "0")
        case "Time":
            let seconds = try parts[1]?.integer() ?? 0
            // The zero time of Go is a null in JSON.
            return seconds == 0 ? "" : .string(Timestamp(seconds: seconds).description)
        default:
            if try parts[1]?.integer() == 1 { return .string(try parts[3]?.string() ?? "") }
            return .integer(try parts[2]?.integer() ?? 0)
        }
    }
}
