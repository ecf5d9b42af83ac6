import APIServerModel
import JSON
import KubernetesClient
import KubernetesModel
import Testing

@testable import LocalCluster

private let manifest = """
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: web, labels: {app: web}}
    spec:
      replicas: 2
      selector: {matchLabels: {app: web}}
      template:
        metadata: {labels: {app: web}}
        spec:
          containers:
          - name: main
            image: serve:1
            ports: [{containerPort: 8080, name: http}]
            resources: {requests: {cpu: 100m, memory: 64Mi}}
    ---
    apiVersion: v1
    kind: Service
    metadata: {name: web}
    spec:
      selector: {app: web}
      ports: [{port: 80, targetPort: http}]
    """

private let definition = """
    apiVersion: apiextensions.k8s.io/v1
    kind: CustomResourceDefinition
    metadata: {name: wines.example.com}
    spec:
      group: example.com
      scope: Namespaced
      names: {plural: wines, singular: wine, kind: Wine, shortNames: [wn], categories: [drinks]}
      versions:
      - name: v1
        served: true
        storage: true
        subresources: {status: {}}
        additionalPrinterColumns:
        - {name: Colour, type: string, jsonPath: .spec.colour}
        schema:
          openAPIV3Schema:
            type: object
            properties:
              spec:
                type: object
                description: What the wine is.
                required: [colour]
                properties:
                  colour: {type: string, enum: [red, white], description: Of the grapes.}
                  year: {type: integer, minimum: 1900, default: 2020}
              status: {type: object, x-kubernetes-preserve-unknown-fields: true}
    """

/// A node whose containers all write the same two lines.
private struct Chatter: PodLogSource {
    func podLogs(_ request: PodLogRequest) async throws -> PodLogOutput {
        if request.previous { throw PodLogError.badRequest("previous terminated container not found") }
        return PodLogOutput { writer in
            try await writer(Array("first\n".utf8))
            try await writer(Array("second\n".utf8))
        }
    }
}

extension TestCluster {
    /// Every pod on the node becomes ready, until the task is cancelled; pods that are deleted go.
    func playNode() async throws {
        var seen: Set<String> = []
        while true {
            for pod in try await client.list(.pods).items where PodFacts(pod).nodeName != nil {
                do throws(KubernetesError) {
                    if pod.isTerminating {
                        try await client.delete(.pods, pod.key, DeleteOptions(uid: pod.uid, gracePeriodSeconds: 0))
                    } else if seen.insert(pod.uid).inserted {
                        let isJob = pod.labels["job-name"] != nil
                        let status: JSONValue = [
                            "phase": isJob ? "Succeeded" : "Running", "podIP": "10.1.0.1", "hostIP": "10.1.0.254",
                            "conditions": [["type": "Ready", "status": isJob ? "False" : "True"]],
                        ]
                        _ = try await client.mergePatch(
                            .pods, pod.key, ["status": status], subresource: "status", fieldManager: "kubelet")
                    }
                } catch {
                    if !error.isNotFound && !error.isConflict { throw error }
                }
            }
            try await Task.sleep(for: .milliseconds(50))
        }
    }
}

@Suite(.enabled(if: !Kubectl.installed.isEmpty, Kubectl.hint))
struct KubectlTests {
    /// Runs `body` on a cluster with a node that plays along.
    private func with(
        _ kubectl: Kubectl, _ body: @escaping @Sendable (TestCluster, Kubectl) async throws -> Void
    ) async throws {
        try await TestCluster.run { cluster in
            try await cluster.addNode()
            await cluster.handle.setLogSource(Chatter(), node: "fake")
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await cluster.playNode() }
                group.addTask { try await body(cluster, kubectl.on(cluster)) }
                // The node never ends but by an error.
                try await group.next()
                group.cancelAll()
            }
        }
    }

    @Test(arguments: Kubectl.installed)
    func `a Deployment is applied, rolled out, changed, undone and deleted`(_ installed: Kubectl) async throws {
        try await with(installed) { cluster, kubectl in
            #expect(try await kubectl("apply", "-f", "-", input: manifest).contains("deployment.apps/web created"))
            #expect(try await kubectl("apply", "-f", "-", input: manifest).contains("deployment.apps/web unchanged"))
            try await kubectl("rollout", "status", "deploy/web", "--timeout=20s")
            #expect(try await kubectl("get", "deploy", "web").contains("2/2"))
            try await kubectl("scale", "deploy/web", "--replicas=3")
            try await kubectl("rollout", "status", "deploy/web", "--timeout=20s")
            try await kubectl("set", "image", "deploy/web", "main=serve:2")
            try await kubectl("rollout", "status", "deploy/web", "--timeout=20s")
            try await kubectl("rollout", "restart", "deploy/web")
            try await kubectl("rollout", "status", "deploy/web", "--timeout=20s")
            try await kubectl("rollout", "undo", "deploy/web", "--to-revision=1")
            try await kubectl("rollout", "status", "deploy/web", "--timeout=20s")
            let image = try await kubectl(
                "get", "deploy", "web", "-o", "jsonpath={.spec.template.spec.containers[0].image}")
            #expect(image == "serve:1")
            #expect(try await kubectl("rollout", "history", "deploy/web").contains("4"))
            let described = try await kubectl("describe", "deploy", "web")
            #expect(described.contains("MinimumReplicasAvailable") && described.contains("ScalingReplicaSet"))
            #expect(try await kubectl("get", "endpoints", "web").contains("10.1.0.1:8080"))
            #expect(try await kubectl("get", "events").contains("SuccessfulCreate"))
            try await kubectl("delete", "deploy/web", "--timeout=20s")
            _ = try await cluster.waitForPods("app=web", 0)
            #expect(try await kubectl("get", "pods", "-o", "name") == "")
        }
    }

    @Test(arguments: Kubectl.installed)
    func `a Job is created, waited for, read and deleted with its pods`(_ installed: Kubectl) async throws {
        try await with(installed) { cluster, kubectl in
            try await kubectl("create", "job", "wine", "--image=train", "--", "train.py")
            try await kubectl("wait", "--for=condition=complete", "job/wine", "--timeout=20s")
            #expect(try await kubectl("get", "jobs").contains("1/1"))
            #expect(try await kubectl("logs", "job/wine") == "first\nsecond\n")
            let refused = try await kubectl.run(["logs", "job/wine", "--previous"])
            #expect(!refused.isSuccess && refused.error.contains("previous terminated container not found"))
            #expect(try await kubectl("describe", "job", "wine").contains("Completed"))
            #expect(try await kubectl("get", "pods", "-o", "wide").contains("Succeeded"))
            try await kubectl("delete", "job", "wine", "--timeout=20s")
            _ = try await cluster.waitForPods("job-name=wine", 0)
        }
    }

    @Test(arguments: Kubectl.installed)
    func `objects are patched, labelled, edited and applied by the server`(_ installed: Kubectl) async throws {
        try await with(installed) { _, kubectl in
            try await kubectl("apply", "--server-side", "-f", "-", input: manifest)
            try await kubectl("apply", "--server-side", "-f", "-", input: manifest)
            try await kubectl("label", "svc", "web", "tier=front")
            try await kubectl("annotate", "svc", "web", "note=hello")
            try await kubectl(
                "patch", "svc", "web", "--type=json", "-p", #"[{"op":"remove","path":"/metadata/labels"}]"#)
            try await kubectl("patch", "deploy", "web", "-p", #"{"spec":{"replicas":1}}"#)
            #expect(try await kubectl("get", "deploy", "web", "-o", "jsonpath={.spec.replicas}") == "1")
            let conflict = try await kubectl.run(["apply", "--server-side", "-f", "-"], input: manifest)
            #expect(!conflict.isSuccess && conflict.error.contains(".spec.replicas"))
            try await kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input: manifest)
            #expect(try await kubectl("get", "deploy", "web", "-o", "jsonpath={.spec.replicas}") == "2")
            try await kubectl("edit", "svc", "web", editor: "sed -i s/targetPort:.http/targetPort:\\ 9090/")
            #expect(try await kubectl("get", "svc", "web", "-o", "jsonpath={.spec.ports[0].targetPort}") == "9090")
            try await kubectl("create", "configmap", "c", "--from-literal=a=b")
            try await kubectl("create", "namespace", "other")
            #expect(try await kubectl("get", "sa", "-n", "other", "-o", "name").contains("serviceaccount/default"))
            try await kubectl("delete", "namespace", "other", "--timeout=20s")
        }
    }

    @Test(arguments: Kubectl.installed)
    func `a custom resource is explained, printed, defaulted and validated`(_ installed: Kubectl) async throws {
        try await with(installed) { _, kubectl in
            try await kubectl("apply", "-f", "-", input: definition)
            try await kubectl("wait", "--for=condition=Established", "crd/wines.example.com", "--timeout=20s")
            func wine(_ spec: String) -> String {
                "apiVersion: example.com/v1\nkind: Wine\nmetadata: {name: merlot}\nspec: \(spec)\n"
            }
            try await kubectl("apply", "-f", "-", input: wine("{colour: red}"))
            #expect(try await kubectl("apply", "-f", "-", input: wine("{colour: red}")).contains("unchanged"))
            #expect(try await kubectl("get", "wn").contains("COLOUR"))
            #expect(try await kubectl("get", "drinks", "-o", "jsonpath={.items[0].spec.year}") == "2020")
            #expect(try await kubectl("explain", "wine.spec.colour").contains("Of the grapes."))
            #expect(try await kubectl("describe", "wine", "merlot").contains("Colour"))
            let bad = try await kubectl.run(["apply", "-f", "-"], input: wine("{colour: blue}"))
            #expect(!bad.isSuccess && bad.error.contains("spec.colour"))
            let unknown = try await kubectl.run(["apply", "-f", "-"], input: wine("{colour: red, price: 5}"))
            #expect(!unknown.isSuccess && unknown.error.contains("price"))
            try await kubectl("delete", "wine", "merlot", "--timeout=20s")
            try await kubectl("delete", "crd", "wines.example.com", "--timeout=20s")
        }
    }

    @Test(arguments: Kubectl.installed)
    func `kubectl learns what there is and who it is`(_ installed: Kubectl) async throws {
        try await with(installed) { _, kubectl in
            #expect(try await kubectl("api-resources").contains("deployments"))
            #expect(try await kubectl("api-versions").contains("batch/v1"))
            #expect(try await kubectl("explain", "deployment.spec.replicas").contains("replicas"))
            #expect(try await kubectl("get", "nodes").contains("fake"))
            #expect(try await kubectl("get", "all", "-A").isEmpty)
            #expect(try await kubectl("auth", "can-i", "create", "pods").contains("yes"))
            try await kubectl("cordon", "fake")
            #expect(try await kubectl("get", "nodes").contains("SchedulingDisabled"))
            #expect(try await kubectl("get", "--raw", "/readyz") == "ok")
        }
    }
}
