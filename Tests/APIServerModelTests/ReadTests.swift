import JSON
import KubernetesModel
import Testing

@testable import APIServerModel

@Suite struct ReadTests {
    private func withMaps(_ names: [String]) -> TestServer {
        var t = TestServer()
        for name in names { t.post(Sample.maps, Sample.map(name, labels: ["part": String(name.prefix(1))])) }
        return t
    }

    struct Selection: CustomTestStringConvertible, Sendable {
        var query: String
        var names: [String]
        var testDescription: String { query }
    }

    static let selections: [Selection] = [
        Selection(query: "", names: ["a1", "a2", "b1"]),
        Selection(query: "labelSelector=part%3Da", names: ["a1", "a2"]),
        Selection(query: "labelSelector=part+in+(b,c)", names: ["b1"]),
        Selection(query: "labelSelector=part!%3Da", names: ["b1"]),
        Selection(query: "labelSelector=!part", names: []),
        Selection(query: "fieldSelector=metadata.name%3Da2", names: ["a2"]),
        Selection(query: "fieldSelector=metadata.name!%3Da2,metadata.namespace%3Ddefault", names: ["a1", "b1"]),
    ]

    @Test(arguments: selections) func `A list shows what its selectors select`(_ selection: Selection) {
        var t = withMaps(["b1", "a2", "a1"])
        let answer = t.get(Sample.maps + "?" + selection.query)
        #expect(answer.names == selection.names)
        #expect(answer.json["kind"] == "ConfigMapList")
        #expect(answer.resourceVersion == String(t.server.resourceVersion))
    }

    @Test func `A list of all namespaces is in the order of namespaces`() {
        var t = TestServer()
        t.post("/api/v1/namespaces/kube-system/configmaps", Sample.map("a"))
        t.post(Sample.maps, Sample.map("z"))
        #expect(t.get("/api/v1/configmaps").names == ["z", "a"])
    }

    @Test func `A field that cannot be selected by is refused`() {
        var t = TestServer()
        let answer = t.get(Sample.maps + "?fieldSelector=data.x%3Dy")
        #expect(answer.status == 400)
        #expect(answer.message.hasSuffix("field label not supported: data.x"))
    }

    @Test func `Pages show the version of the first, whatever is written meanwhile`() {
        var t = withMaps(["a", "b", "c", "d"])
        let first = t.get(Sample.maps + "?limit=2")
        #expect(first.names == ["a", "b"])
        #expect(first.json["metadata", "remainingItemCount"] == 2)
        t.post(Sample.maps, Sample.map("bb"))
        t.delete(Sample.maps + "/c")
        let token = first.json["metadata", "continue"]?.string ?? ""
        let second = t.get(Sample.maps + "?limit=2&continue=" + Self.escaped(token))
        #expect(second.names == ["c", "d"])
        #expect(second.resourceVersion == first.resourceVersion)
        #expect(second.json["metadata", "continue"] == nil)
    }

    @Test func `A page of a forgotten version is gone, and its token goes on inconsistently`() {
        var t = withMaps(["a", "b", "c"])
        let first = t.get(Sample.maps + "?limit=1")
        t.delete(Sample.maps + "/b")
        t.server.compact()
        let token = Self.escaped(first.json["metadata", "continue"]?.string ?? "")
        let gone = t.get(Sample.maps + "?limit=1&continue=" + token)
        #expect(gone.status == 410)
        #expect(gone.reason == "Expired")
        #expect(gone.message.hasPrefix("The provided continue parameter is too old"))
        let fresh = Self.escaped(gone.json["metadata", "continue"]?.string ?? "")
        #expect(t.get(Sample.maps + "?continue=" + fresh).names == ["c"])
    }

    @Test func `Versions of a list: any, not older, exact, too new, malformed`() {
        var t = withMaps(["a", "b"])
        let version = t.server.resourceVersion
        t.post(Sample.maps, Sample.map("c"))
        #expect(t.get(Sample.maps + "?resourceVersion=0&limit=1").names == ["a", "b", "c"])
        #expect(t.get(Sample.maps + "?resourceVersion=\(version)").names == ["a", "b", "c"])
        #expect(
            t.get(Sample.maps + "?resourceVersion=\(version)&resourceVersionMatch=NotOlderThan").names
                == ["a", "b", "c"])
        let exact = t.get(Sample.maps + "?resourceVersion=\(version)&resourceVersionMatch=Exact")
        #expect(exact.names == ["a", "b"])
        #expect(exact.resourceVersion == String(version))
        let future = t.get(Sample.maps + "?resourceVersion=1000")
        #expect(future.status == 504)
        #expect(future.message == "Too large resource version: 1000, current: \(version + 1)")
        #expect(future.json["details", "causes"]?[0]?["reason"] == "ResourceVersionTooLarge")
        #expect(future.header("Retry-After") == ["1"])
        #expect(t.get(Sample.maps + "?resourceVersion=x").status == 400)
        #expect(t.get(Sample.maps + "?resourceVersionMatch=Exact").status == 422)
        t.server.compact()
        #expect(t.get(Sample.maps + "?resourceVersion=\(version)&resourceVersionMatch=Exact").status == 410)
    }

    struct Media: CustomTestStringConvertible, Sendable {
        var accept: String
        var status: Int
        var kind: JSONValue
        var testDescription: String { accept }
    }

    static let media: [Media] = [
        Media(accept: "", status: 200, kind: "ConfigMapList"),
        Media(accept: "*/*", status: 200, kind: "ConfigMapList"),
        Media(accept: "application/json;stream=watch", status: 200, kind: "ConfigMapList"),
        Media(
            accept: "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,"
                + "application/json", status: 200, kind: "Table"),
        Media(
            accept: "application/vnd.kubernetes.protobuf;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,"
                + "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1", status: 200,
            kind: "PartialObjectMetadataList"),
        Media(accept: "application/vnd.kubernetes.protobuf", status: 406, kind: "Status"),
        Media(accept: "application/vnd.kubernetes.protobuf, application/json", status: 200, kind: "ConfigMapList"),
    ]

    @Test(arguments: media) func `The answer has the form that the client accepts`(_ media: Media) {
        var t = withMaps(["a"])
        let answer = t.send("GET", Sample.maps, accept: media.accept)
        #expect(answer.status == media.status)
        #expect(answer.json["kind"] == media.kind)
    }

    @Test func `Without credentials only health and version are answered`() {
        var t = TestServer()
        t.user = nil
        #expect(t.get(Sample.maps).status == 401)
        #expect(t.get("/healthz").response.body == Array("ok".utf8))
        #expect(t.get("/version").json["gitVersion"] == "v1.31.0")
    }

    static func escaped(_ text: String) -> String {
        text.map { $0 == "+" ? "%2B" : $0 == "=" ? "%3D" : $0 == "/" ? "%2F" : String($0) }.joined()
    }
}
