import JSON
import KubernetesModel
import Testing

@testable import APIServerModel

@Suite struct DiscoveryTests {
    static let all = BuiltinKinds.all

    @Test func `Versions are ordered by maturity, then by number`() {
        let versions = ["v1alpha1", "v10", "v1", "foo", "v2beta1", "v1beta2", "v11alpha2", "v2"]
        #expect(
            versions.sorted { VersionPriority($0) > VersionPriority($1) }
                == ["v10", "v2", "v1", "v2beta1", "v1beta2", "v11alpha2", "v1alpha1", "foo"])
    }

    @Test func `A group names its preferred version`() {
        #expect(
            Discovery.group("batch", Self.all) == [
                "kind": "APIGroup", "apiVersion": "v1", "name": "batch",
                "versions": [["groupVersion": "batch/v1", "version": "v1"]],
                "preferredVersion": ["groupVersion": "batch/v1", "version": "v1"],
            ])
        #expect(Discovery.group("none", Self.all) == nil)
    }

    @Test func `Resources come with their subresources and short names`() throws {
        let list = try #require(Discovery.resourceList(group: "apps", version: "v1", Self.all))
        let resources = list["resources"]?.array ?? []
        #expect(
            resources.first == [
                "name": "deployments", "singularName": "deployment", "namespaced": true, "kind": "Deployment",
                "verbs": JSONValue(ResourceDefinition.allVerbs), "shortNames": ["deploy"], "categories": ["all"],
            ])
        #expect(
            resources.first { $0["name"] == "deployments/scale" } == [
                "name": "deployments/scale", "singularName": "", "namespaced": true, "group": "autoscaling",
                "version": "v1", "kind": "Scale", "verbs": ["get", "patch", "update"],
            ])
    }

    @Test func `Aggregated discovery holds the same resources`() {
        let core = Discovery.aggregated(isCore: true, version: "v2", Self.all)
        #expect(core["apiVersion"] == "apidiscovery.k8s.io/v2")
        let resources = core["items"]?[0]?["versions"]?[0]?["resources"]?.array ?? []
        let pods = resources.first { $0["resource"] == "pods" }
        #expect(pods?["responseKind"] == ["group": "", "version": "v1", "kind": "Pod"])
        #expect(pods?["subresources"]?.array?.contains { $0["subresource"] == "log" } == true)
        let groups = Discovery.aggregated(isCore: false, version: "v2", Self.all)["items"]?.array ?? []
        #expect(groups.compactMap { $0["metadata", "name"]?.string } == Discovery.groups(Self.all))
    }

    @Test func `Every reference in every OpenAPI document leads somewhere`() throws {
        let paths = try #require(OpenAPI.index(Self.all)["paths"]?.object)
        #expect(
            paths["apis/batch/v1"]?["serverRelativeURL"]?.string?.hasPrefix("/openapi/v3/apis/batch/v1?hash=") == true)
        for name in paths.keys {
            let parts = name.split(separator: "/").map(String.init)
            let group = parts.count == 3 ? parts[1] : ""
            let document = try #require(OpenAPI.document(group: group, version: parts.last ?? "", Self.all))
            let known = document["components", "schemas"]?.object ?? [:]
            for reference in Self.references(document) {
                #expect(known[String(reference.dropFirst("#/components/schemas/".count))] != nil, "\(reference)")
            }
        }
    }

    private static func references(_ value: JSONValue) -> [String] {
        switch value {
        case .object(let object): (object["$ref"]?.string.map { [$0] } ?? []) + object.values.flatMap(references)
        case .array(let elements): elements.flatMap(references)
        default: []
        }
    }

    @Test func `A kind can be found by kubectl, with its patches and their keys`() throws {
        let document = try #require(OpenAPI.document(group: "apps", version: "v1", Self.all))
        let kind: JSONValue = ["group": "apps", "version": "v1", "kind": "Deployment"]
        let patch = document[
            path: ["paths", "/apis/apps/v1/namespaces/{namespace}/deployments/{name}", "patch"]]
        #expect(patch?["x-kubernetes-group-version-kind"] == kind)
        #expect(
            patch?["parameters"]?.array?.contains { $0["name"] == "fieldValidation" && $0["in"] == "query" } == true)
        #expect(patch?[path: ["requestBody", "content", "application/strategic-merge-patch+json"]] != nil)
        let schemas = document["components", "schemas"]
        #expect(schemas?["io.k8s.api.apps.v1.Deployment"]?["x-kubernetes-group-version-kind"] == [kind])
        let containers = schemas?[path: ["io.k8s.api.core.v1.PodSpec", "properties", "containers"]]
        #expect(containers?["x-kubernetes-patch-merge-key"] == "name")
        #expect(containers?["x-kubernetes-patch-strategy"] == "merge")
        #expect(containers?["x-kubernetes-list-map-keys"] == ["name"])
    }
}
