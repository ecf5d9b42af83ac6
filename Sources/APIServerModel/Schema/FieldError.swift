import JSON
import KubernetesModel

/// What is wrong with one field, in the API server's words (`k8s.io/apimachinery/pkg/util/validation/field`).
public struct FieldError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Kind: String, Sendable, Hashable {
        case required = "FieldValueRequired"
        case invalid = "FieldValueInvalid"
        case notSupported = "FieldValueNotSupported"
        case tooLong = "FieldValueTooLong"
        case tooMany = "FieldValueTooMany"
        case forbidden = "FieldValueForbidden"
        case duplicate = "FieldValueDuplicate"
        case typeInvalid = "FieldValueTypeInvalid"
    }

    public var kind: Kind
    /// As users write it: `spec.containers[0].name`.
    public var path: String
    /// Without the path: `Required value`, `Invalid value: "x": must be …`.
    public var message: String

    public var description: String { path.isEmpty ? message : "\(path): \(message)" }

    public var cause: KubernetesStatus.Cause {
        KubernetesStatus.Cause(reason: kind.rawValue, message: message, field: path)
    }

    public static func required(_ path: String, _ detail: String = "") -> FieldError {
        FieldError(kind: .required, path: path, message: "Required value" + (detail.isEmpty ? "" : ": \(detail)"))
    }

    public static func invalid(_ path: String, _ value: JSONValue, _ detail: String) -> FieldError {
        FieldError(kind: .invalid, path: path, message: "Invalid value: \(value.serialized()): \(detail)")
    }

    public static func notSupported(_ path: String, _ value: JSONValue, _ supported: [JSONValue]) -> FieldError {
        let values = supported.map { $0.serialized() }.joined(separator: ", ")
        return FieldError(
            kind: .notSupported, path: path,
            message: "Unsupported value: \(value.serialized()): supported values: \(values)")
    }

    public static func tooLong(_ path: String, max: Int) -> FieldError {
        FieldError(kind: .tooLong, path: path, message: "Too long: may not be more than \(max) bytes")
    }

    public static func tooMany(_ path: String, actual: Int, max: Int) -> FieldError {
        FieldError(
            kind: .tooMany, path: path,
            message: "Too many: \(actual): must have at most \(max) item\(max == 1 ? "" : "s")")
    }

    public static func forbidden(_ path: String, _ detail: String) -> FieldError {
        FieldError(kind: .forbidden, path: path, message: "Forbidden: \(detail)")
    }

    public static func duplicate(_ path: String, _ value: JSONValue) -> FieldError {
        FieldError(kind: .duplicate, path: path, message: "Duplicate value: \(value.serialized())")
    }

    /// A value of the wrong JSON type, as kube-openapi words it: the "value" it shows is the name of the type.
    static func type(_ path: String, expected: String, found: JSONValue) -> FieldError {
        FieldError(
            kind: .typeInvalid, path: path,
            message:
                "Invalid value: \"\(found.typeName)\": \(path) in body must be of type \(expected): \"\(found.typeName)\""
        )
    }
}

extension KubernetesStatus {
    /// 422 for an object with invalid fields: `Pod "a" is invalid: spec.x: Required value`.
    public static func invalid(_ type: ResourceType, name: String, _ errors: [FieldError]) -> KubernetesStatus {
        var seen: Set<FieldError> = []
        let unique = errors.filter { seen.insert($0).inserted }
        let list = unique.map(\.description)
        let text = list.count == 1 ? list.joined() : "[\(list.joined(separator: ", "))]"
        let kind = type.group.isEmpty ? type.kind : "\(type.kind).\(type.group)"
        return KubernetesStatus(
            code: 422, reason: "Invalid", message: "\(kind) \"\(name)\" is invalid: \(text)",
            causes: unique.map(\.cause))
    }
}
