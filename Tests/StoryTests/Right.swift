import AssayCore
import FoundationEssentials
import JSON
import KubernetesModel
import TestCluster
import YAML

/// One verb on one resource, as a rule of RBAC grants it.
struct Right: Hashable, Comparable, Sendable, CustomStringConvertible {
    var verb: String
    var group: String
    /// With its subresource: `deployments/scale`.
    var resource: String

    /// `patch deployments.apps/scale`, as requests are counted.
    var description: String { "\(verb) \(counted)" }

    /// `deployments.apps/scale`
    var counted: String {
        let parts = resource.split(separator: "/", maxSplits: 1).map(String.init)
        let type = group.isEmpty ? parts[0] : "\(parts[0]).\(group)"
        return parts.count == 2 ? "\(type)/\(parts[1])" : type
    }

    /// What an API server says where it is missing.
    var refusal: String { "cannot \(verb) resource \"\(resource)\" in API group \"\(group)\"" }

    static func < (left: Right, right: Right) -> Bool {
        (left.group, left.resource, left.verb) < (right.group, right.resource, right.verb)
    }

    /// All that the roles of a file grant.
    static func granted(by file: String) throws -> Set<Right> {
        var result: Set<Right> = []
        for rule in try rules(of: file) {
            for group in rule["apiGroups"]?.strings ?? [] {
                for resource in rule["resources"]?.strings ?? [] {
                    for verb in rule["verbs"]?.strings ?? [] {
                        result.insert(Right(verb: verb, group: group, resource: resource))
                    }
                }
            }
        }
        return result
    }

    static func rules(of file: String) throws -> [JSONValue] {
        let text = try String(contentsOfFile: "\(ProgramUnderTest.repository)/\(file)", encoding: .utf8)
        return try JSONValue.documents(yaml: text)
            .filter { ["ClusterRole", "Role"].contains($0["kind"]?.string) }
            .flatMap { $0["rules"]?.array ?? [] }
    }

    /// Exactly what the operator is installed with.
    static func shipped() throws -> Set<Right> { try granted(by: "manifests/cluster/rbac.yaml") }

    /// Rules that grant exactly these.
    static func rules(_ rights: Set<Right>) -> JSONValue {
        .array(
            rights.sorted().map { right in
                [
                    "apiGroups": [.string(right.group)], "resources": [.string(right.resource)],
                    "verbs": [.string(right.verb)],
                ]
            })
    }
}

extension JSONValue {
    var strings: [String] { (array ?? []).compactMap(\.string) }
}
