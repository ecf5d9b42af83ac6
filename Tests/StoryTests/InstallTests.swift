import AssayCore
import Concurrency
import CurlTransport
import HTTPTransport
import JSON
import KubernetesClient
import KubernetesModel
import TestCluster
import Testing

extension Stories {
    /// Assay as docs/install.md says to install it, and the operator as its Deployment runs it: by the cluster's own
    /// controllers, in a pod with a service account's token.
    @Suite struct InstallTests {
        private static let manifests = "\(ProgramUnderTest.repository)/manifests"
        private static let deployment = ObjectKey(namespace: "assay-system", name: "assay-operator")

        @Test(arguments: Backend.all) func oneCommandInstallsAnOperatorThatServesAModel(_ backend: Backend) async throws
        {
            try await Self.installed(on: backend) { cluster, kubectl in
                try await Self.expectRights(kubectl)
                let namespace = "install-\(UInt32.random(in: .min ... .max))"
                try await kubectl("create", "namespace", namespace)
                let world = StoryWorld(cluster: cluster, namespace: namespace, logger: TestCluster.logger)
                try await cluster.eventually("\(namespace) has its service account") {
                    try await kubectl("-n", namespace, "get", "serviceaccounts").contains("default")
                }
                try await kubectl("-n", namespace, "apply", "-f", "-", input: ToyModel().yaml)
                let serving = try await world.wait("serving", seconds: 120) {
                    $0.isTrue("Ready") && $0.phase == "Serving"
                }
                #expect(serving["status", "verdict"]?.string == "accuracy 0.97 ≥ 0.93")
                #expect(try await world.ask().status == 200)
                try await Self.expectMetrics(cluster)
                try await Self.expectTakeover(world, kubectl)
                try await kubectl("-n", namespace, "delete", "mlmodel", "wine")
                try await kubectl("delete", "namespace", namespace, "--wait=false")
            }
        }

        /// From a cluster that has nothing of ours to one with a ready operator; the operator is gone afterwards.
        private static func installed(
            on backend: Backend, _ body: @escaping @Sendable (TestCluster, Administrator) async throws -> Void
        ) async throws {
            if case .kubernetes(.existing) = backend {
                try Test.cancel("it would delete every model of a cluster that was there before")
            }
            try await TestCluster.run(on: backend) { cluster in
                try await Administrator.of(cluster) { kubectl in
                    do {
                        let file = "\(manifests)/install.yaml"
                        try await kubectl("delete", "--ignore-not-found", "--timeout=120s", "-f", file)
                        try await expectNothingLeft(cluster)
                        // Before Kubernetes 1.25 kubectl does not know the CRDs' CEL rules, and the server drops them.
                        let knowsRules = cluster.features.contains(.celValidation)
                        try await kubectl("apply", "--validate=\(knowsRules)", "-f", file)
                        try await kubectl(
                            "-n", "assay-system", "rollout", "status", "deployment/assay-operator", "--timeout=120s")
                        try await body(cluster, kubectl)
                    } catch {
                        // The stories after this one need the rights and kinds.
                        try await cluster.install()
                        try await cluster.client.delete(.deployments, deployment)
                        throw error
                    }
                    try await kubectl("delete", "-n", "assay-system", "deployment", "assay-operator")
                }
            }
        }

        private static func expectNothingLeft(_ cluster: TestCluster) async throws {
            let namespaces = try await cluster.client.listAll(.namespaces).items
            #expect(!namespaces.contains { $0["metadata", "name"]?.string == deployment.namespace })
            let definitions = try await cluster.client.listAll(.customResourceDefinitions).items
            #expect(!definitions.contains { $0["spec", "group"]?.string == "assay.dev" })
        }

        // MARK: Rights

        /// What `kubectl auth can-i --list` says of the operator in any namespace, beside what everybody may.
        private static let rights: Set<String> = [
            "mlmodels.assay.dev: get list patch watch",
            "mlmodels.assay.dev/status: patch",
            "mlmodels.assay.dev/finalizers: update",
            "trainingjobs.assay.dev: create delete get list patch watch",
            "trainingjobs.assay.dev/status: patch",
            "trainingjobs.assay.dev/finalizers: update",
            "jobs.batch: create delete get list patch watch",
            "deployments.apps: create delete get list patch watch",
            "deployments.apps/scale: patch",
            "services: create delete get list patch watch",
            "networkpolicies.networking.k8s.io: create delete get list watch",
            "pods: list watch",
            "events: list",
            "events.events.k8s.io: create patch",
            "namespaces: get",
            "serviceaccounts: get",
            "persistentvolumeclaims: get",
            "configmaps assay-store: get",
            "configmaps assay-ca: get patch",
            "configmaps: create",
            "tokenreviews.authentication.k8s.io: create",
        ]

        private static func expectRights(_ kubectl: Administrator) async throws {
            let everywhere = try await rights(kubectl, namespace: "default")
            #expect(everywhere == rights, "too much: \(everywhere.subtracting(rights))")
            let atHome = try await rights(kubectl, namespace: "assay-system")
            let alone: Set = [
                "pods: get list watch", "leases.coordination.k8s.io: create",
                "leases.coordination.k8s.io assay-operator: get update",
                "secrets: create", "secrets assay-push-tls: get update", "endpoints: create",
                "endpoints assay-push: patch",
            ]
            #expect(atHome == rights.subtracting(["pods: list watch"]).union(alone))
        }

        /// A line for each resource with all that may be done to it, as kubectl lists it.
        private static func rights(_ kubectl: Administrator, namespace: String) async throws -> Set<String> {
            let list = try await kubectl(
                "auth", "can-i", "--list", "--no-headers", "-n", namespace,
                "--as=system:serviceaccount:assay-system:assay")
            var verbs: [String: Set<String>] = [:]
            for line in list.split(separator: "\n") {
                // A resource, URLs, names and verbs: `pods   []   []   [list watch]`.
                let lists = line.split(separator: "[", omittingEmptySubsequences: false)
                let resource = lists[0].filter { $0 != " " }
                guard lists.count == 4, !resource.isEmpty, !resource.hasPrefix("selfsubject") else { continue }
                let names = lists[2].filter { $0 != " " && $0 != "]" }
                let key = names.isEmpty ? resource : "\(resource) \(names)"
                verbs[key, default: []].formUnion(lists[3].filter { $0 != "]" }.split(separator: " ").map(String.init))
            }
            return Set(verbs.map { "\($0.key): \($0.value.sorted().joined(separator: " "))" })
        }

        // MARK: A second replica

        private static let lease = ObjectKey(namespace: "assay-system", name: "assay-operator")

        /// A second operator is added, the pod of the one that leads is deleted, and somebody answers all the same.
        private static func expectTakeover(_ world: StoryWorld, _ kubectl: Administrator) async throws {
            let rendered = try await kubectl("kustomize", "\(manifests)/highly-available").split(separator: "---\n")
            let known = rendered.filter {
                world.cluster.features.contains(.policyV1) || !$0.contains("kind: PodDisruptionBudget")
            }
            let knowsRules = world.cluster.features.contains(.celValidation)
            try await kubectl(
                "apply", "--validate=\(knowsRules)", "-f", "-", input: known.joined(separator: "---\n"))
            try await kubectl(
                "-n", "assay-system", "rollout", "status", "deployment/assay-operator", "--timeout=120s")
            let pods = try await world.client.listAll(.pods, namespace: "assay-system").items
                .filter { $0.isTrue("Ready") && $0["metadata", "deletionTimestamp"] == nil }
                .compactMap { $0["metadata", "name"]?.string }
            #expect(pods.count == 2)

            // A pod that led before, and goes, gives the Lease back only now.
            let seen = Locked<String?>(nil)
            try await world.eventually("one of \(pods) leads") {
                let leader = try await Self.leader(world.client)
                seen.withLock { $0 = leader }
                return leader.map(pods.contains) ?? false
            }
            let leader = try #require(seen.withLock { $0 })
            try await expectPushesLead(toThePodThatLeads: world)
            try await kubectl("-n", "assay-system", "delete", "pod", leader, "--wait=false")
            try await world.eventually("another operator than \(leader) leads") {
                let next = try await Self.leader(world.client)
                return next != nil && next != leader
            }
            try await expectPushesLead(toThePodThatLeads: world)
            _ = try await world.client.mergePatch(
                .mlModels, world.key("wine"), ["spec": ["suspend": true]], fieldManager: "story")
            try await world.wait("suspended") { $0.isObserved && $0.isTrue("Suspended") }
        }

        /// By the endpoints of the Service that trainings push to, where the leader takes them.
        private static func expectPushesLead(toThePodThatLeads world: StoryWorld) async throws {
            let service = ObjectKey(namespace: "assay-system", name: "assay-push")
            try await world.eventually("the Service for pushes leads to the pod that leads") {
                guard let leader = try await Self.leader(world.client) else { return false }
                let pods = try await world.client.listAll(.pods, namespace: "assay-system").items
                guard
                    let address = pods.first(where: { $0["metadata", "name"]?.string == leader })?["status", "podIP"],
                    let endpoints = try await world.client.listAll(.endpoints, namespace: "assay-system").items
                        .first(where: { $0["metadata", "name"]?.string == service.name })
                else { return false }
                return endpoints["subsets"]?[0]?["addresses"] == [["ip": address]]
                    && endpoints["subsets"]?[0]?["ports"]?[0]?["port"] == 8443
            }
        }

        /// The name of the pod that leads; nil where none does.
        private static func leader(_ client: KubernetesClient) async throws -> String? {
            let holder = try await client.get(.leases, lease)["spec", "holderIdentity"]?.string ?? ""
            return holder.split(separator: "_").first.map(String.init)
        }

        // MARK: Metrics

        /// Through its Service; the operator knows by now which image it runs.
        private static func expectMetrics(_ cluster: TestCluster) async throws {
            let key = ObjectKey(namespace: "assay-system", name: "assay-metrics")
            let service = try await cluster.client.get(.services, key)
            let address = try #require(service["spec", "clusterIP"]?.string)
            let transport = try CurlTransport(TransportConfiguration(server: "http://\(address):8081"))
            defer { transport.shutdown() }
            try await cluster.eventually("the operator says what it runs") {
                let request = HTTPRequest(.get, "/metrics", delivery: .unary(timeout: .seconds(5)))
                let answer = try await transport.send(request)
                let text = String(decoding: try await answer.body.collect(), as: UTF8.self)
                return text.contains("assay_operator_image_info{image=\"assay@sha256:")
            }
        }
    }
}
