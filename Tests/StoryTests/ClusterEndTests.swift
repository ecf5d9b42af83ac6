import TestCluster
import Testing

extension Stories {
    @Suite struct ClusterEndTests {
        @Test(.timeLimit(.minutes(1))) func aClusterEndsWithTheFailureOfWhatRanOnIt() async throws {
            await #expect(throws: StoryFailure.self) {
                try await TestCluster.run(on: .local) { _ in throw StoryFailure() }
            }
        }
    }
}
