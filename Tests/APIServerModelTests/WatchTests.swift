import JSON
import KubernetesModel
import Testing

@testable import APIServerModel

@Suite struct WatchTests {
    @Test func `A watch without a version begins with what there is`() {
        var t = TestServer()
        t.post(Sample.maps, Sample.map("a"))
        let id = t.watch(Sample.maps + "?watch=1")
        #expect(t.events(id) == ["ADDED a"])
        t.merge(Sample.maps + "/a", ["data": ["k": "v"]])
        t.post("/api/v1/namespaces/kube-system/configmaps", Sample.map("elsewhere"))
        t.delete(Sample.maps + "/a")
        #expect(t.server.takeReadyWatches() == [id])
        #expect(t.events(id) == ["MODIFIED a", "DELETED a"])
        #expect(t.server.takeReadyWatches() == [])
    }

    @Test func `A watch from a version has every change after it, once and in order`() {
        var t = TestServer()
        let version = t.post(Sample.maps, Sample.map("a")).resourceVersion
        t.post(Sample.maps, Sample.map("b"))
        t.delete(Sample.maps + "/a")
        let id = t.watch(Sample.maps + "?watch=true&resourceVersion=\(version)")
        t.post(Sample.maps, Sample.map("c"))
        #expect(t.events(id) == ["ADDED b", "DELETED a", "ADDED c"])
    }

    @Test func `An object that leaves the selection is deleted to the watch, one that enters is added`() {
        var t = TestServer()
        let id = t.watch(Sample.maps + "?watch=1&labelSelector=on")
        t.post(Sample.maps, Sample.map("a"))
        #expect(t.events(id) == [])
        t.merge(Sample.maps + "/a", ["metadata": ["labels": ["on": "1"]]])
        let gone = t.merge(Sample.maps + "/a", ["metadata": ["labels": ["on": .null]]])
        t.delete(Sample.maps + "/a")
        let lines = t.server.takeEvents(id).lines.map(TestServer.parse)
        #expect(lines.map { $0["type"] } == ["ADDED", "DELETED"])
        // It is the last state that was selected, with the version of the change.
        #expect(lines.last?["object", "metadata", "labels"] == ["on": "1"])
        #expect(lines.last?["object", "metadata", "resourceVersion"]?.string == gone.resourceVersion)
    }

    @Test func `Field selectors of a pod follow its node`() {
        var t = TestServer()
        let id = t.watch("/api/v1/pods?watch=1&fieldSelector=spec.nodeName%3Dn1")
        t.post(Sample.pods, Sample.pod("p"))
        #expect(t.events(id) == [])
        let bound = t.post(
            Sample.pods + "/p/binding",
            ["apiVersion": "v1", "kind": "Binding", "metadata": ["name": "p"], "target": ["name": "n1"]])
        #expect(bound.status == 201)
        #expect(t.events(id) == ["ADDED p"])
        #expect(t.get(Sample.pods + "/p").json["status", "conditions"]?[0]?["type"] == "PodScheduled")
        let again = t.post(Sample.pods + "/p/binding", ["target": ["name": "n2"]])
        #expect(again.status == 409)
    }

    @Test(arguments: [false, true]) func `A forgotten version is 410, as an event or as a status`(refuses: Bool) {
        var t = TestServer {
            $0.historyWindow = 2
            $0.refusesExpiredWatches = refuses
        }
        let version = t.post(Sample.maps, Sample.map("a")).resourceVersion
        for name in ["b", "c", "d"] { t.post(Sample.maps, Sample.map(name)) }
        let target = Sample.maps + "?watch=1&resourceVersion=\(version)"
        if refuses {
            let answer = t.get(target)
            #expect(answer.status == 410)
            #expect(answer.reason == "Expired")
        } else {
            let id = t.watch(target)
            let batch = t.server.takeEvents(id)
            let line = TestServer.parse(batch.lines.first ?? [])
            #expect(line["type"] == "ERROR")
            #expect(line["object", "code"] == 410)
            #expect(line["object", "message"]?.string?.hasPrefix("too old resource version: \(version)") == true)
            #expect(batch.isEnded)
            #expect(t.server.openWatchCount == 0)
        }
    }

    @Test func `Initial events end with a bookmark that says so`() {
        var t = TestServer()
        t.post(Sample.maps, Sample.map("a"))
        let id = t.watch(
            Sample.maps
                + "?watch=1&sendInitialEvents=true&allowWatchBookmarks=true&resourceVersionMatch=NotOlderThan")
        let lines = t.server.takeEvents(id).lines.map(TestServer.parse)
        #expect(lines.map { $0["type"] } == ["ADDED", "BOOKMARK"])
        #expect(lines.last?["object", "metadata", "annotations"] == ["k8s.io/initial-events-end": "true"])
        #expect(lines.last?["object", "kind"] == "ConfigMap")
        #expect(t.get(Sample.maps + "?watch=1&sendInitialEvents=true").status == 422)
    }

    @Test func `A quiet watch gets bookmarks if it asked for them, and ends at its time`() {
        var t = TestServer()
        let id = t.watch(Sample.maps + "?watch=1&allowWatchBookmarks=true&timeoutSeconds=100")
        let plain = t.watch(Sample.maps + "?watch=1&timeoutSeconds=100")
        t.post("/api/v1/namespaces/default/secrets", ["apiVersion": "v1", "kind": "Secret", "metadata": ["name": "s"]])
        _ = t.events(id)
        t.pass(30)
        #expect(t.events(id) == [])
        t.pass(31)
        let lines = t.server.takeEvents(id).lines.map(TestServer.parse)
        #expect(lines.first?["type"] == "BOOKMARK")
        #expect(lines.first?["object", "metadata", "resourceVersion"]?.string == String(t.server.resourceVersion))
        #expect(t.events(plain) == [])
        t.pass(40)
        #expect(t.server.takeReadyWatches() == [id, plain])
        #expect(t.server.takeEvents(id).isEnded)
        #expect(t.server.takeEvents(plain).isEnded)
        #expect(t.server.openWatchCount == 0)
    }

    @Test func `A table watch names its columns once`() {
        var t = TestServer()
        t.post(Sample.maps, Sample.map("a"))
        let id = t.watch(Sample.maps + "?watch=1", accept: "application/json;as=Table;v=v1;g=meta.k8s.io")
        t.post(Sample.maps, Sample.map("b"))
        let lines = t.server.takeEvents(id).lines.map(TestServer.parse)
        #expect(lines.map { $0["object", "kind"] } == ["Table", "Table"])
        #expect(lines.map { ($0["object", "columnDefinitions"]?.array ?? []).isEmpty } == [false, true])
        #expect(lines.map { $0["object", "rows"]?[0]?["cells"]?[0] } == ["a", "b"])
    }

    @Test func `Events are one resource under two groups`() {
        var t = TestServer()
        let core = t.watch("/api/v1/events?watch=1")
        let answer = t.post(
            "/apis/events.k8s.io/v1/namespaces/default/events",
            [
                "apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": ["name": "e"],
                "eventTime": "2027-01-15T08:00:00.000000Z", "note": "it failed", "reason": "Failed", "type": "Warning",
                "action": "Train", "reportingController": "assay", "reportingInstance": "assay-0",
                "regarding": ["kind": "Pod", "name": "p", "namespace": "default"],
            ])
        #expect(answer.status == 201, "\(answer.json)")
        #expect(answer.json["note"] == "it failed")
        let seen = TestServer.parse(t.server.takeEvents(core).lines.first ?? [])
        #expect(seen["object", "message"] == "it failed")
        #expect(seen["object", "involvedObject", "name"] == "p")
        let found = t.get("/api/v1/namespaces/default/events?fieldSelector=involvedObject.name%3Dp,type%3DWarning")
        #expect(found.names == ["e"])
        #expect(t.get("/apis/events.k8s.io/v1/events?fieldSelector=regarding.name%3Dp").names == ["e"])
        t.pass(3700)
        #expect(t.get("/api/v1/events").names == [])
    }

    @Test func `A copy of the server lives its own life`() {
        var t = TestServer()
        var other = t
        t.post(Sample.maps, Sample.map("a"))
        #expect(other.get(Sample.maps).names == [])
    }
}
