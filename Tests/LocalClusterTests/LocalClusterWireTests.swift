import CLinux
import CurlTransport
import Files
import HTTPTransport
import JSON
import KubernetesClient
import KubernetesModel
import Testing

@testable import LocalCluster

private let jobSpec: JSONValue = [
    "backoffLimit": 2,
    "template": [
        "spec": ["restartPolicy": "Never", "containers": [["name": "main", "image": "train"]]]
    ],
]

@Suite struct LocalClusterWireTests {
    @Test func `a Job runs to its end over the wire`() async throws {
        try await TestCluster.run { cluster in
            try await cluster.addNode()
            _ = try await cluster.create(
                .jobs, ["metadata": ["name": "wine", "namespace": "default"], "spec": jobSpec])
            let pods = try await cluster.waitForPods("batch.kubernetes.io/job-name=wine", 1) {
                $0["spec", "nodeName"]?.string == "fake"
            }
            let first = try #require(pods.first)
            try await cluster.setPod(first, ["phase": "Failed"])
            let retried = try await cluster.waitForPods("batch.kubernetes.io/job-name=wine", 1) {
                $0.uid != first.uid
            }
            try await cluster.setPod(try #require(retried.first), ["phase": "Succeeded"])
            let done = try await cluster.wait(.jobs, "wine", for: "complete") {
                $0?.hasCondition("Complete") == true
            }
            #expect(done?["status", "failed"] == 1)
            #expect(done?["status", "succeeded"] == 1)
            #expect(done?["status", "completionTime"] != nil)
        }
    }

    @Test func `a Deployment becomes available, its Service has endpoints, and deleting it clears all away`()
        async throws
    {
        try await TestCluster.run { cluster in
            try await cluster.addNode()
            _ = try await cluster.create(
                .services,
                [
                    "metadata": ["name": "web", "namespace": "default"],
                    "spec": ["selector": ["app": "web"], "ports": [["port": 80, "targetPort": 8080]]],
                ])
            _ = try await cluster.create(
                .deployments,
                [
                    "metadata": ["name": "web", "namespace": "default"],
                    "spec": [
                        "replicas": 2, "selector": ["matchLabels": ["app": "web"]],
                        "template": [
                            "metadata": ["labels": ["app": "web"]],
                            "spec": ["containers": [["name": "main", "image": "serve"]]],
                        ],
                    ],
                ])
            let running = try await cluster.waitForPods("app=web", 2) { PodFacts($0).nodeName != nil }
            for pod in running {
                try await cluster.setPod(
                    pod,
                    [
                        "phase": "Running", "podIP": .string(pod.name == running.first?.name ? "10.1.0.1" : "10.1.0.2"),
                        "conditions": [["type": "Ready", "status": "True"]],
                    ])
            }
            try await cluster.wait(.deployments, "web", for: "available") {
                $0?["status", "availableReplicas"] == 2
                    && $0?.condition("Progressing")?["reason"] == "NewReplicaSetAvailable"
            }
            let endpoints = try await cluster.wait(.endpoints, "web", for: "filled") {
                $0?["subsets"]?[0]?["addresses"]?.array?.count == 2
            }
            #expect(endpoints?["subsets"]?[0]?["ports"]?[0]?["port"] == 8080)
            let slices = try await cluster.client.list(.endpointSlices, namespace: "default").items
            let slice = try #require(slices.first { $0.name.hasPrefix("web-") })
            // It is written after the Endpoints.
            try await cluster.wait(.endpointSlices, slice.name, for: "filled") {
                $0?["endpoints"]?.array?.count == 2
            }
            try await cluster.client.delete(.deployments, ObjectKey(namespace: "default", name: "web"))
            let left = try await cluster.waitForPods("app=web", 0) { !$0.isTerminating }
            #expect(left.isEmpty)
        }
    }

    @Test func `a pod that fits nowhere says why, and is bound when it fits`() async throws {
        try await TestCluster.run { cluster in
            try await cluster.addNode(cpu: "1")
            _ = try await cluster.create(
                .pods,
                [
                    "metadata": ["name": "big", "namespace": "default"],
                    "spec": [
                        "containers": [
                            ["name": "main", "image": "x", "resources": ["requests": ["cpu": "3"]]]
                        ]
                    ],
                ])
            // At first the scheduler may not have heard of the node, and says that there is none.
            let waiting = try await cluster.wait(.pods, "big", for: "too large for the node") {
                $0?.condition("PodScheduled")?["message"] == "0/1 nodes are available: 1 Insufficient cpu."
            }
            #expect(waiting?.condition("PodScheduled")?["reason"] == "Unschedulable")
            try await cluster.addNode("larger", cpu: "8")
            try await cluster.wait(.pods, "big", for: "bound") { $0?["spec", "nodeName"] == "larger" }
        }
    }

    @Test func `a claim is bound at once`() async throws {
        try await TestCluster.run { cluster in
            _ = try await cluster.create(
                .persistentVolumeClaims,
                [
                    "metadata": ["name": "data", "namespace": "default"],
                    "spec": ["accessModes": ["ReadWriteOnce"], "resources": ["requests": ["storage": "1Gi"]]],
                ])
            let claim = try await cluster.wait(.persistentVolumeClaims, "data", for: "bound") {
                $0?["status", "phase"] == "Bound"
            }
            let volume = try #require(claim?["spec", "volumeName"]?.string)
            try await cluster.wait(.persistentVolumes, volume, in: nil, for: "bound") {
                $0?["status", "phase"] == "Bound"
            }
            try await cluster.client.delete(
                .persistentVolumeClaims, ObjectKey(namespace: "default", name: "data"))
            try await cluster.wait(.persistentVolumes, volume, in: nil, for: "gone") { $0 == nil }
        }
    }

    @Test func `users are known by token or certificate, and nobody else gets in`() async throws {
        try await TestCluster.run { cluster in
            let stranger = cluster.handle.configuration(.operator)
            let transport = try CurlTransport(stranger.transport)
            defer { transport.shutdown() }
            let anonymous = KubernetesClient(transport: transport)
            await #expect(throws: KubernetesError.self) { try await anonymous.list(.pods) }
            do throws(KubernetesError) {
                _ = try await anonymous.list(.pods)
            } catch {
                #expect(error.isUnauthorized)
            }
            for path in ["/healthz", "/readyz", "/version"] {
                #expect(try await anonymous.send(HTTPRequest(.get, path)).status == 200)
            }
            let wrong = KubernetesClient(transport: transport, credentials: .token("guessed"))
            await #expect(throws: KubernetesError.self) { try await wrong.list(.pods) }
            let known = KubernetesClient(transport: transport, credentials: stranger.credentials)
            _ = try await known.create(
                .configMaps, ["metadata": ["name": "mine", "namespace": "default"]], fieldManager: "assay")
            #expect(await cluster.handle.writeCount(user: ClusterUser.operator.rawValue) == 1)
        }
    }

    @Test func `the kubeconfigs are their owner's alone, and lead to the cluster`() async throws {
        try await TestCluster.run { cluster in
            let handle = cluster.handle
            for path in [handle.kubeconfigPath, handle.operatorKubeconfigPath] {
                let mode = try FileSystem.status(path).st_mode
                #expect(mode & 0o777 == 0o600)
                let configuration = try ClientConfiguration.kubeconfig(path: path, context: nil)
                let transport = try CurlTransport(configuration.transport)
                defer { transport.shutdown() }
                let client = KubernetesClient(transport: transport, credentials: configuration.credentials)
                let names = try await client.list(.namespaces).items.map(\.name)
                #expect(names.contains("kube-system"))
            }
        }
    }

    @Test func `an idle cluster writes nothing`() async throws {
        try await TestCluster.run { cluster in
            try await cluster.addNode()
            _ = try await cluster.create(
                .jobs, ["metadata": ["name": "wine", "namespace": "default"], "spec": jobSpec])
            let pods = try await cluster.waitForPods("job-name=wine", 1) { PodFacts($0).nodeName != nil }
            try await cluster.setPod(try #require(pods.first), ["phase": "Succeeded"])
            try await cluster.wait(.jobs, "wine", for: "complete") { $0?.hasCondition("Complete") == true }
            var before = await cluster.handle.writeCount()
            // Events may still be on their way.
            for _ in 0..<50 {
                try await Task.sleep(for: .milliseconds(300))
                let now = await cluster.handle.writeCount()
                if now == before { break }
                before = now
            }
            try await Task.sleep(for: .seconds(2))
            #expect(await cluster.handle.writeCount() == before)
        }
    }

    @Test func `faults happen as often as told`() async throws {
        try await TestCluster.run { cluster in
            await cluster.handle.refuseNext(
                KubernetesStatus(code: 403, reason: "Forbidden", message: "not today"), method: "POST",
                path: "configmaps")
            let map: JSONValue = ["metadata": ["name": "a", "namespace": "default"]]
            await #expect(throws: KubernetesError.self) {
                try await cluster.client.create(.configMaps, map, fieldManager: "test")
            }
            await cluster.handle.inject(ClusterFault(.loseAnswer, method: "POST", path: "configmaps"))
            do throws(KubernetesError) {
                _ = try await cluster.client.create(.configMaps, map, fieldManager: "test")
                Issue.record("the answer was not lost")
            } catch {
                #expect(error.outcomeIsUnknown)
            }
            let made = try await cluster.client.get(.configMaps, ObjectKey(namespace: "default", name: "a"))
            #expect(made.name == "a")
        }
    }

    @Test func `a pod whose creation was never confirmed is not created a second time`() async throws {
        try await TestCluster.run { cluster in
            for name in ["a", "b", "c", "d"] {
                await cluster.handle.inject(
                    ClusterFault(
                        .loseAnswer, method: "POST", path: "/pods", user: ClusterUser.controllerManager.rawValue))
                _ = try await cluster.create(
                    .jobs, ["metadata": ["name": .string(name), "namespace": "default"], "spec": jobSpec])
                try await cluster.wait(.jobs, name, for: "active") { $0?["status", "active"] == 1 }
                #expect(try await cluster.pods("job-name=\(name)").count == 1)
            }
            try await Task.sleep(for: .milliseconds(500))
            #expect(try await cluster.pods("job-name").count == 4)
        }
    }

    @Test func `what a quota refuses is told by the ReplicaSet and its Deployment`() async throws {
        try await TestCluster.run { cluster in
            _ = try await cluster.create(
                .resourceQuotas,
                ["metadata": ["name": "small", "namespace": "default"], "spec": ["hard": ["pods": "1"]]])
            _ = try await cluster.create(
                .deployments,
                [
                    "metadata": ["name": "web", "namespace": "default"],
                    "spec": [
                        "replicas": 2, "selector": ["matchLabels": ["app": "web"]],
                        "template": [
                            "metadata": ["labels": ["app": "web"]],
                            "spec": ["containers": [["name": "main", "image": "serve"]]],
                        ],
                    ],
                ])
            let refused = try await cluster.wait(.deployments, "web", for: "refused") {
                $0?.hasCondition("ReplicaFailure") == true
            }
            let condition = refused?.condition("ReplicaFailure")
            #expect(condition?["reason"] == "FailedCreate")
            #expect(condition?["message"]?.string?.contains("exceeded quota: small") == true)
            #expect(try await cluster.pods("app=web").count == 1)
            try await cluster.client.delete(.resourceQuotas, ObjectKey(namespace: "default", name: "small"))
            _ = try await cluster.waitForPods("app=web", 2)
            try await cluster.wait(.deployments, "web", for: "well again") {
                $0?.condition("ReplicaFailure") == nil
            }
        }
    }

    @Test func `a watch that is too old ends with 410`() async throws {
        try await TestCluster.run { cluster in
            let version = try await cluster.client.list(.configMaps, namespace: "default").resourceVersion
            for name in ["a", "b"] {
                _ = try await cluster.create(
                    .configMaps, ["metadata": ["name": .string(name), "namespace": "default"]])
            }
            await cluster.handle.compactHistory()
            do throws(KubernetesError) {
                let stream = try await cluster.client.watch(
                    .configMaps, namespace: "default",
                    WatchOptions(resourceVersion: version, timeoutSeconds: 5))
                while try await stream.next() != nil {}
                Issue.record("the watch did not fail")
            } catch {
                #expect(error.isExpired)
            }
        }
    }

    @Test func `two clusters in one process do not disturb each other`() async throws {
        try await TestCluster.run { first in
            try await TestCluster.run { second in
                #expect(first.handle.port != second.handle.port)
                _ = try await first.create(.configMaps, ["metadata": ["name": "a", "namespace": "default"]])
                do throws(KubernetesError) {
                    _ = try await second.client.get(.configMaps, ObjectKey(namespace: "default", name: "a"))
                    Issue.record("an object of the other cluster was found")
                } catch {
                    #expect(error.isNotFound)
                }
            }
        }
    }
}
