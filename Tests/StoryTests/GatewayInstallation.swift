import LocalCluster
import TestCluster
import Testing

/// The installation with the gateway, as its Deployments run it.
enum GatewayInstallation {
    static let overlay = "\(ProgramUnderTest.repository)/manifests/with-gateway"
    static let home = "assay-system"

    /// Tells a story with it.
    static func run(
        on backend: Backend, _ body: @escaping @Sendable (StoryWorld, Administrator) async throws -> Void
    ) async throws {
        if case .kubernetes(.existing) = backend {
            try Test.cancel("it would replace the operator of a cluster that was there before")
        }
        try await StoryWorld.run(on: backend) { world in
            try await Administrator.of(world.cluster) { kubectl in
                // Before Kubernetes 1.25 kubectl does not know the CRDs' CEL rules, and the server drops them.
                let knowsRules = world.cluster.features.contains(.celValidation)
                let rendered = try await kubectl("kustomize", overlay)
                try await kubectl("apply", "--validate=\(knowsRules)", "-f", "-", input: rendered)
                for name in ["assay-operator", "assay-gateway"] {
                    try await kubectl("-n", home, "rollout", "status", "deployment/\(name)", "--timeout=120s")
                }
                do {
                    try await body(world, kubectl)
                } catch {
                    Issue.record("\(error)")
                    print(try await kubectl("-n", home, "get", "pods", "-o", "wide"))
                    // A server that does not find our node has no logs of it.
                    for name in ["assay-operator", "assay-gateway"] where world.cluster.local != nil {
                        print(try await kubectl("-n", home, "logs", "deployment/\(name)", "--tail=60"))
                    }
                    try await remove(kubectl)
                    throw error
                }
                try await remove(kubectl)
            }
        }
    }

    /// The stories after this one need a cluster without it.
    private static func remove(_ kubectl: Administrator) async throws {
        for name in ["assay-operator", "assay-gateway"] {
            try await kubectl("-n", home, "delete", "--ignore-not-found", "deployment", name)
        }
        for file in ["operator-rbac.yaml", "gateway-rbac.yaml"] {
            try await kubectl("delete", "--ignore-not-found", "-f", "\(overlay)/\(file)")
        }
    }
}
