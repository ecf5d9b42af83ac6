import JSON
import Testing

@testable import APIServerModel

@Suite struct ProtobufReaderTests {
    static func envelope(
        _ kind: String, _ apiVersion: String = "v1", _ write: (inout ProtobufWriter) -> Void
    ) -> [UInt8] {
        var writer = ProtobufWriter()
        writer.message(1) { type in
            type.string(1, apiVersion)
            type.string(2, kind)
        }
        writer.message(2, write)
        return Array("k8s\0".utf8) + writer.bytes
    }

    @Test func `An object is read as JSON would write it`() throws {
        let bytes = Self.envelope("ConfigMap") { map in
            map.message(1) { metadata in
                metadata.string(1, "a")
                metadata.message(8) { _ in }
                metadata.message(11) { entry in
                    entry.string(1, "k")
                    entry.string(2, "v")
                }
            }
            for key in ["x", "y"] {
                map.message(2) { entry in
                    entry.string(1, key)
                    entry.string(2, "1")
                }
            }
            map.message(3) { entry in
                entry.string(1, "b")
                entry.string(2, "hi")
            }
        }
        #expect(
            try ProtobufReader.object(bytes) == [
                "apiVersion": "v1", "kind": "ConfigMap", "metadata": ["name": "a", "labels": ["k": "v"]],
                "data": ["x": "1", "y": "1"], "binaryData": ["b": "aGk="],
            ])
    }

    @Test func `Quantities, lists and either-typed values have their own forms`() throws {
        let bytes = Self.envelope("PodDisruptionBudget", "policy/v1") { object in
            object.message(2) { spec in
                spec.message(1) { value in
                    value.bool(1, true)
                    value.string(3, "50%")
                }
            }
        }
        #expect(try ProtobufReader.object(bytes)["spec"] == ["minAvailable": "50%"])
        let quota = Self.envelope("ResourceQuota") { object in
            object.message(2) { spec in
                spec.message(1) { entry in
                    entry.string(1, "cpu")
                    entry.message(2) { $0.string(1, "1500m") }
                }
                spec.string(2, "BestEffort")
                spec.string(2, "NotTerminating")
            }
        }
        #expect(
            try ProtobufReader.object(quota)["spec"] == [
                "hard": ["cpu": "1500m"], "scopes": ["BestEffort", "NotTerminating"],
            ])
    }

    @Test func `What cannot be read is refused, not lost`() {
        let unknownKind = Self.envelope("Node") { _ in }
        let unknownField = Self.envelope("ConfigMap") { $0.string(99, "x") }
        let whole = Self.envelope("ConfigMap") { $0.message(1) { $0.string(1, "name") } }
        let malformed: [[UInt8]] = [
            [], Array("k8s\0".utf8) + [0x0A, 0xFF], unknownKind, unknownField, Array(whole.dropLast(2)),
        ]
        for bytes in malformed {
            #expect(throws: ProtobufError.self) { try ProtobufReader.object(bytes) }
        }
    }

    @Test func `Every type that a field names is known`() {
        for (name, fields) in ProtobufTypes.messages {
            for field in fields.values {
                var type = field.type
                while true {
                    if case .list(let element) = type {
                        type = element
                    } else if case .map(let element) = type {
                        type = element
                    } else {
                        break
                    }
                }
                guard case .message(let target) = type, !["Quantity", "Time", "IntOrString"].contains(target) else {
                    continue
                }
                #expect(ProtobufTypes.messages[target] != nil, "\(name).\(field.name)")
            }
        }
        for root in ProtobufTypes.roots { #expect(ProtobufTypes.messages[root] != nil, "\(root)") }
    }
}
