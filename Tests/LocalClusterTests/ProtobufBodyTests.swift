import JSON
import Testing

@testable import LocalCluster

/// Writes protobuf as a client does.
private func tag(_ number: Int, _ type: Int) -> [UInt8] {
    let value = number << 3 | type
    return value < 0x80 ? [UInt8(value)] : [UInt8(value & 0x7F | 0x80), UInt8(value >> 7)]
}
private func field(_ number: Int, _ bytes: [UInt8]) -> [UInt8] { tag(number, 2) + [UInt8(bytes.count)] + bytes }
private func field(_ number: Int, _ text: String) -> [UInt8] { field(number, Array(text.utf8)) }
private func field(_ number: Int, _ value: UInt8) -> [UInt8] { tag(number, 0) + [value] }

private func body(_ kind: String, _ apiVersion: String, _ content: [UInt8]) -> [UInt8] {
    Array("k8s\0".utf8) + field(1, field(1, apiVersion) + field(2, kind)) + field(2, content) + field(3, "")
        + field(4, "")
}

@Suite struct ProtobufBodyTests {
    @Test func `a Job reads as JSON, without what was not set and with zeros that mean something`() throws {
        let container = field(1, "main") + field(2, "x") + field(3, "sh") + field(3, "") + field(13, "")
        let template = field(1, field(1, "") + field(8, [])) + field(2, field(2, container) + field(3, "Never"))
        let spec = field(1, 0) + field(6, template) + field(7, 3)
        let job = field(1, field(1, "wine") + field(11, field(1, "a") + field(2, "b"))) + field(2, spec) + field(3, [])
        let expected: JSONValue = [
            "apiVersion": "batch/v1", "kind": "Job", "metadata": ["name": "wine", "labels": ["a": "b"]],
            "spec": [
                "parallelism": 0, "backoffLimit": 3,
                "template": [
                    "metadata": [:],
                    "spec": [
                        "restartPolicy": "Never",
                        "containers": [["name": "main", "image": "x", "command": ["sh", ""]]],
                    ],
                ],
            ],
        ]
        #expect(try ProtobufBody.json(body("Job", "batch/v1", job)) == expected)
    }

    @Test func `secrets, quantities and inlined messages take their JSON form`() throws {
        let secret = field(1, field(1, "s")) + field(2, field(1, "k") + field(2, "hello"))
        #expect(try ProtobufBody.json(body("Secret", "v1", secret))["data", "k"] == "aGVsbG8=")
        let quota = field(2, field(1, field(1, "pods") + field(2, field(1, "3"))))
        #expect(try ProtobufBody.json(body("ResourceQuota", "v1", quota))["spec", "hard", "pods"] == "3")
        let volume = field(1, "data") + field(2, field(19, field(1, field(1, "settings"))))
        let pod = field(2, field(1, volume))
        #expect(
            try ProtobufBody.json(body("Pod", "v1", pod))["spec", "volumes"]
                == [["name": "data", "configMap": ["name": "settings"]]])
    }

    @Test func `what is not understood is refused, not dropped`() {
        let future = body("ConfigMap", "v1", field(15, "new"))
        #expect(throws: ProtobufError.self) { try ProtobufBody.json(future) }
        #expect(throws: ProtobufError.self) { try ProtobufBody.json(body("Unheard", "v1", [])) }
        #expect(throws: ProtobufError.self) { try ProtobufBody.json(Array("{}".utf8)) }
    }

    @Test func `a body cut off anywhere, or with any byte changed, never traps`() {
        let whole = body("ConfigMap", "v1", field(1, field(1, "c")) + field(2, field(1, "a") + field(2, "b")))
        var refused = 0
        for length in 0..<whole.count {
            do { _ = try ProtobufBody.json(Array(whole.prefix(length))) } catch { refused += 1 }
        }
        for index in whole.indices {
            for value in [0, 1, 0x7F, 0x80, 0xFF] as [UInt8] {
                var damaged = whole
                damaged[index] = value
                do { _ = try ProtobufBody.json(damaged) } catch { refused += 1 }
            }
        }
        #expect(refused > whole.count)
    }
}
