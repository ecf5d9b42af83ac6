import JSON
import KubernetesModel
import Testing

@testable import LocalCluster

private let now = Timestamp(seconds: 1_767_225_600)
private let service: JSONValue = [
    "metadata": ["name": "web", "namespace": "ml", "uid": "svc"],
    "spec": ["selector": ["app": "web"], "ports": [["name": "http", "port": 80, "targetPort": "serve"]]],
]

private func pod(_ name: String, ready: Bool, terminating: Bool = false, phase: String = "Running") -> JSONValue {
    var pod: JSONValue = [
        "metadata": ["name": .string(name), "namespace": "ml", "uid": .string(name), "labels": ["app": "web"]],
        "spec": ["nodeName": "n", "containers": [["ports": [["name": "serve", "containerPort": 8080]]]]],
        "status": [
            "phase": .string(phase), "podIP": .string("10.0.0.\(name.count)"),
            "conditions": [["type": "Ready", "status": ready ? "True" : "False"]],
        ],
    ]
    if terminating { pod["metadata", "deletionTimestamp"] = .string(now.description) }
    return pod
}

@Suite struct EndpointsPlannerTests {
    private func plan(
        _ pods: [JSONValue], _ service: JSONValue = service, endpoints: JSONValue? = nil, slices: [JSONValue] = []
    ) -> ControllerPlan {
        EndpointsPlanner().plan(service: service, pods: pods, endpoints: endpoints, slices: slices, now: now)
    }

    @Test func `pods stand by readiness, with the named port resolved`() throws {
        let plan = plan([
            pod("a", ready: true), pod("bb", ready: false), pod("ccc", ready: true, terminating: true),
            pod("dddd", ready: false, phase: "Succeeded"),
        ])
        let endpoints = try #require(plan.created.first { $0["kind"] == "Endpoints" })
        let slice = try #require(plan.created.first { $0["kind"] == "EndpointSlice" })
        #expect(endpoints["subsets"]?[0]?["addresses"]?.array?.map { $0["ip"] } == ["10.0.0.1"])
        #expect(endpoints["subsets"]?[0]?["notReadyAddresses"]?.array?.map { $0["ip"] } == ["10.0.0.2"])
        #expect(endpoints["subsets"]?[0]?["ports"] == [["name": "http", "port": 8080, "protocol": "TCP"]])
        #expect(slice["ports"] == [["name": "http", "port": 8080, "protocol": "TCP"]])
        let conditions = slice["endpoints"]?.array?.map { $0["conditions"] }
        #expect(
            conditions == [
                ["ready": true, "serving": true, "terminating": false],
                ["ready": false, "serving": false, "terminating": false],
                ["ready": false, "serving": true, "terminating": true],
            ])
        #expect(slice.labels["kubernetes.io/service-name"] == "web")
    }

    @Test func `what somebody writes for a service without a selector is mirrored, and its end too`() throws {
        var plain = service
        plain["spec", "selector"] = nil
        var endpoints: JSONValue = [
            "metadata": ["name": "web", "namespace": "ml", "uid": "e"],
            "subsets": [["addresses": [["ip": "10.0.0.9"]], "ports": [["port": 8443, "protocol": "TCP"]]]],
        ]
        #expect(plan([], plain) == ControllerPlan())
        let first = plan([], plain, endpoints: endpoints)
        let slice = try #require(first.created.first)
        #expect(first.actions.count == 1 && slice["kind"] == "EndpointSlice")
        #expect(slice.labels["kubernetes.io/service-name"] == "web")
        #expect(slice["endpoints"] == [["addresses": ["10.0.0.9"], "conditions": ["ready": true]]])
        #expect(slice["ports"] == [["name": "", "port": 8443, "protocol": "TCP"]])
        #expect(slice["metadata", "ownerReferences"]?[0]?["kind"] == "Endpoints")
        #expect(plan([], plain, endpoints: endpoints, slices: [slice]) == ControllerPlan())
        endpoints["subsets"] = [["addresses": [["ip": "10.0.0.8"]], "ports": [["port": 8443, "protocol": "TCP"]]]]
        let second = plan([], plain, endpoints: endpoints, slices: [slice])
        guard case .replace(.endpointSlices, let changed)? = second.actions.first else {
            Issue.record("\(second)")
            return
        }
        #expect(changed["endpoints"]?[0]?["addresses"] == ["10.0.0.8"] && second.actions.count == 1)
        guard case .delete(.endpointSlices, _, _, _)? = plan([], plain, slices: [slice]).actions.first else {
            Issue.record("a slice of endpoints that are gone stays")
            return
        }
        var foreign = slice
        foreign["metadata", "labels", "endpointslice.kubernetes.io/managed-by"] = "somebody"
        #expect(plan([], plain, slices: [foreign]) == ControllerPlan())
    }

    @Test func `the world that a plan makes needs no plan`() throws {
        let pods = [pod("a", ready: true)]
        let first = plan(pods)
        let endpoints = first.created.first { $0["kind"] == "Endpoints" }
        let slices = first.created.filter { $0["kind"] == "EndpointSlice" }
        #expect(plan(pods, endpoints: endpoints, slices: slices) == ControllerPlan())
        let gone = plan([], endpoints: endpoints, slices: slices)
        #expect(gone.actions.count == 2)
    }

    @Test func `addresses that are not ready are published when the Service says so`() {
        var eager = service
        eager["spec", "publishNotReadyAddresses"] = true
        let slice = plan([pod("a", ready: false)], eager).created.first { $0["kind"] == "EndpointSlice" }
        #expect(slice?["endpoints"]?[0]?["conditions", "ready"] == true)
    }

    @Test func `pods of a headless Service have the host names of their subdomain`() throws {
        var headless = service
        headless["spec", "clusterIP"] = "None"
        headless["spec", "publishNotReadyAddresses"] = true
        headless["spec", "ports"] = nil
        var named = pod("a", ready: false)
        named["spec", "hostname"] = "web-0"
        named["spec", "subdomain"] = "web"
        var elsewhere = pod("bb", ready: false, terminating: true)
        elsewhere["spec", "hostname"] = "web-1"
        elsewhere["spec", "subdomain"] = "other"
        let plan = plan([named, elsewhere, pod("ccc", ready: false, phase: "Failed")], headless)
        let slice = try #require(plan.created.first { $0["kind"] == "EndpointSlice" })
        #expect(slice.labels["service.kubernetes.io/headless"] != nil)
        #expect(slice["endpoints"]?.array?.map { $0["hostname"] } == ["web-0", nil])
        #expect(slice["endpoints"]?.array?.map { $0["conditions", "ready"] } == [true, true])
        let endpoints = try #require(plan.created.first { $0["kind"] == "Endpoints" })
        let addresses = endpoints["subsets"]?[0]?["addresses"]?.array ?? []
        #expect(addresses.map { $0["hostname"] } == ["web-0", nil])
        #expect(addresses.map { $0["ip"] } == ["10.0.0.1", "10.0.0.2"])
        #expect(endpoints["subsets"]?[0]?["ports"] == nil)
    }

    @Test func `a Service without a selector is left to others`() {
        var manual = service
        manual["spec", "selector"] = nil
        #expect(plan([pod("a", ready: true)], manual) == ControllerPlan())
    }

    @Test func `a claim is bound to a volume of its own`() throws {
        let claim: JSONValue = [
            "metadata": ["name": "data", "namespace": "ml", "uid": "c1", "resourceVersion": "4"],
            "spec": ["accessModes": ["ReadWriteOnce"], "resources": ["requests": ["storage": "2Gi"]]],
        ]
        let planner = VolumeClaimPlanner(directory: "/data/volumes")
        let plan = planner.plan(claim: claim, volume: nil, now: now)
        let volume = try #require(plan.created.first)
        #expect(volume.name == "pvc-c1")
        #expect(volume["spec", "hostPath", "path"] == "/data/volumes/pvc-c1")
        #expect(plan.status(.persistentVolumeClaims)?["phase"] == "Bound")
        #expect(plan.status(.persistentVolumeClaims)?["capacity", "storage"] == "2Gi")
        #expect(planner.plan(volume: volume, claim: nil, now: now).deleted == ["pvc-c1"])
        #expect(planner.plan(volume: volume, claim: claim, now: now).status(.persistentVolumes)?["phase"] == "Bound")
    }
}
