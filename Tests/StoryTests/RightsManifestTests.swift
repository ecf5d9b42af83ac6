import FoundationEssentials
import JSON
import TestCluster
import Testing
import YAML

/// What no role of ours may ever grant, and what is written about those that we have.
@Suite struct RightsManifestTests {
    static let files = ["manifests/cluster/rbac.yaml", "manifests/namespaced/rbac.yaml", "manifests/install.yaml"]

    /// What the gateway adds.
    static let gatewayFiles = ["manifests/with-gateway/operator-rbac.yaml", "manifests/with-gateway/gateway-rbac.yaml"]

    @Test func everyFileWithARoleIsLookedAt() throws {
        let manager = FileManager.default
        let root = "\(ProgramUnderTest.repository)/manifests"
        let found = try manager.subpathsOfDirectory(atPath: root).filter { path in
            guard path.hasSuffix(".yaml") else { return false }
            let text = try String(contentsOfFile: "\(root)/\(path)", encoding: .utf8)
            return text.contains("kind: Role\n") || text.contains("kind: ClusterRole\n")
        }
        #expect(Set(found.map { "manifests/\($0)" }) == Set(Self.files + Self.gatewayFiles))
    }

    @Test(arguments: files + gatewayFiles) func aRoleGrantsNothingDangerous(_ file: String) throws {
        let rules = try Right.rules(of: file)
        #expect(!rules.isEmpty)
        for rule in rules {
            #expect(rule["nonResourceURLs"] == nil)
            #expect(rule["apiGroups"]?.strings.isEmpty == false)
        }
        for right in try Right.granted(by: file) {
            #expect(![right.verb, right.group, right.resource].contains { $0.contains("*") }, "\(right)")
            #expect(!["impersonate", "escalate", "bind", "deletecollection", "approve", "sign"].contains(right.verb))
            let type = right.resource.prefix { $0 != "/" }
            #expect(!["roles", "clusterroles", "nodes"].contains(type), "\(right)")
            #expect(!right.group.contains("rbac") && !right.group.contains("admission"), "\(right)")
            if type == "pods" { #expect(right.resource == "pods", "no log, exec, attach, portforward or proxy") }
            if ["pods", "namespaces", "serviceaccounts"].contains(right.resource) {
                #expect(["get", "list", "watch"].contains(right.verb), "\(right)")
            }
            #expect(!right.resource.hasSuffix("/token"), "\(right)")
        }
    }

    /// A rule about one object of a kind, or about making one, which has no name yet.
    private static func isOfOne(_ name: String, _ verbs: JSONValue, _ rule: JSONValue) -> Bool {
        if rule["verbs"] == ["create"], rule["resourceNames"] == nil { return true }
        return rule["resourceNames"] == [.string(name)] && rule["verbs"] == verbs
    }

    @Test(arguments: files) func noConfigMapIsReadButTheOneThatNamesAStoreAndOurs(_ file: String) throws {
        let rules = try Right.rules(of: file).filter { $0["resources"]?.strings.contains("configmaps") == true }
        #expect(!rules.isEmpty)
        for rule in rules {
            #expect(
                Self.isOfOne("assay-store", ["get"], rule) || Self.isOfOne("assay-ca", ["get", "patch"], rule),
                "\(rule)")
        }
    }

    /// One Secret, in the operator's own namespace: the one that it makes.
    @Test(arguments: files) func noSecretIsReadButItsOwn(_ file: String) throws {
        let text = try String(contentsOfFile: "\(ProgramUnderTest.repository)/\(file)", encoding: .utf8)
        for document in try JSONValue.documents(yaml: text) {
            for rule in document["rules"]?.array ?? [] {
                let resources = rule["resources"]?.strings ?? []
                if resources.contains("secrets") {
                    #expect(document["kind"] == "Role" && document["metadata", "namespace"] == "assay-system")
                    #expect(resources == ["secrets"] && Self.isOfOne("assay-push-tls", ["get", "update"], rule))
                }
                if resources.contains("endpoints") {
                    #expect(document["kind"] == "Role" && document["metadata", "namespace"] == "assay-system")
                    #expect(resources == ["endpoints"] && Self.isOfOne("assay-push", ["patch"], rule))
                }
            }
        }
    }

    @Test(arguments: gatewayFiles) func withTheGatewayOneMoreSecretIsRead(_ file: String) throws {
        let text = try String(contentsOfFile: "\(ProgramUnderTest.repository)/\(file)", encoding: .utf8)
        for document in try JSONValue.documents(yaml: text) {
            for rule in document["rules"]?.array ?? [] where rule["resources"]?.strings.contains("secrets") == true {
                #expect(document["kind"] == "Role" && document["metadata", "namespace"] == "assay-system")
                #expect(rule["resourceNames"] == ["assay-gateway-tls"] && rule["verbs"] == ["get", "update"])
            }
        }
    }

    @Test(arguments: files) func theOwnersFinalizersMayBeUpdatedForBlockOwnerDeletion(_ file: String) throws {
        let rights = try Right.granted(by: file)
        for resource in ["mlmodels/finalizers", "trainingjobs/finalizers"] {
            #expect(rights.contains(Right(verb: "update", group: "assay.dev", resource: resource)))
        }
    }

    @Test func aPodIsReadByNameInTheOperatorsOwnNamespaceOnly() throws {
        let wide = try String(
            contentsOfFile: "\(ProgramUnderTest.repository)/manifests/cluster/rbac.yaml", encoding: .utf8)
        #expect(try Right.shipped().contains(Right(verb: "get", group: "", resource: "pods")))
        let clusterRole = try #require(wide.split(separator: "---").first { $0.contains("kind: ClusterRole\n") })
        #expect(clusterRole.contains("resources: [pods]\n  verbs: [list, watch]"))
    }

    @Test(arguments: files) func noLeaseOfAnotherIsReadOrChanged(_ file: String) throws {
        let rules = try Right.rules(of: file).filter { $0["resources"]?.strings.contains("leases") == true }
        #expect(!rules.isEmpty)
        for rule in rules where rule["resourceNames"] != ["assay-operator"] { #expect(rule["verbs"] == ["create"]) }
    }

    /// Each table in the documentation has a row for each resource, with the verbs and why.
    @Test(arguments: [
        ("## Its rights", "manifests/cluster/rbac.yaml"),
        ("### The operator's, with the gateway", gatewayFiles[0]), ("### The gateway's", gatewayFiles[1]),
    ])
    func theDocumentationTellsOfEveryRightAndOfNoOther(_ heading: String, _ file: String) throws {
        let text = try String(contentsOfFile: "\(ProgramUnderTest.repository)/docs/security.md", encoding: .utf8)
        let lines = text.split(separator: "\n").drop { $0 != heading }.dropFirst().prefix { !$0.hasPrefix("#") }
        var told: Set<String> = []
        for line in lines where line.hasPrefix("| `") {
            let cells = line.split(separator: "|").map { $0.trimming(while: { $0 == " " }) }
            try #require(cells.count == 3, "\(line)")
            #expect(!cells[2].isEmpty, "\(line)")
            let resource = cells[0].filter { $0 != "`" }
            for verb in cells[1].split(separator: ", ") { told.insert("\(verb) \(resource)") }
        }
        #expect(told == Set(try Right.granted(by: file).map(\.description)))
    }
}

extension StringProtocol {
    fileprivate func trimming(while isPadding: (Character) -> Bool) -> String {
        let start = drop(while: isPadding)
        return String(String(start.reversed().drop(while: isPadding)).reversed())
    }
}
