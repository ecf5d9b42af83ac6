import Testing

/// Gives all stories below a suite one real Kubernetes, which is started when the first of them asks for it.
public struct KubernetesTrait: SuiteTrait, TestScoping {
    public func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        try await SharedKubernetes.with(function)
    }
}

extension Trait where Self == KubernetesTrait {
    public static var sharedKubernetes: Self { KubernetesTrait() }
}
