import AssayCore
import JSON
import KubernetesModel

@testable import AssayGateway

/// An MLModel as the API has it.
func modelJSON(
    _ name: String = "wine", namespace: String = "ml", port: Int? = 7001, created: String = "2026-01-01T00:00:00Z",
    traffic: [(String, Int, String)] = [("wine-1", 100, "Serving")], podPort: Int = 8080, hosts: [String] = [],
    retry: String? = nil, auth: JSONValue? = nil, generation: Int64? = nil
) -> JSONValue {
    var serving: JSONValue = ["port": JSONValue(podPort)]
    if !hosts.isEmpty { serving["hosts"] = .array(hosts.map { .string($0) }) }
    serving["retry"] = JSONValue(retry)
    serving["auth"] = auth
    var status: JSONValue = [
        "traffic": .array(
            traffic.map { ["revision": .string($0.0), "weight": JSONValue($0.1), "state": .string($0.2)] }),
        "revisions": .array(
            traffic.map { ["name": .string($0.0), "deployment": .string($0.0), "port": JSONValue(podPort)] }),
    ]
    if let generation { status["trafficGeneration"] = .integer(generation) }
    if let port { status["gatewayPort"] = JSONValue(port) }
    return [
        "metadata": [
            "name": .string(name), "namespace": .string(namespace), "uid": .string("uid-\(name)"),
            "creationTimestamp": .string(created),
        ],
        "spec": ["serving": serving], "status": status,
    ]
}

/// A serving pod as the API has it.
func podJSON(
    _ name: String, model: String = "wine", namespace: String = "ml", revision: String = "wine-1",
    address: String? = "10.0.0.1", isReady: Bool = true, phase: String = "Running", probe: JSONValue? = nil,
    port: Int = 8080
) -> JSONValue {
    var container: JSONValue = ["name": "server", "ports": [["containerPort": JSONValue(port)]]]
    if let probe { container["readinessProbe"] = probe }
    var status: JSONValue = [
        "phase": .string(phase), "conditions": [["type": "Ready", "status": .string(isReady ? "True" : "False")]],
    ]
    status["podIP"] = JSONValue(address)
    return [
        "metadata": [
            "name": .string(name), "namespace": .string(namespace), "uid": .string("uid-\(name)"),
            "labels": JSONValue([Label.model: model, Label.revision: revision]),
        ],
        "spec": ["containers": [container]], "status": status,
    ]
}

/// Something with an identity, for a request or a connection.
final class Token: CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// Numbers that a seed gives.
struct Dice {
    private var state: UInt64
    init(_ seed: Int) { state = UInt64(truncatingIfNeeded: seed) &* 0x9E37_79B9_7F4A_7C15 &+ 1 }

    mutating func roll(_ range: Range<Int>) -> Int {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return range.lowerBound + Int(state % UInt64(range.count))
    }
}
