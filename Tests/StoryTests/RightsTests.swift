import AssayCore
import FoundationEssentials
import TestCluster
import Testing

extension Stories {
    /// Every right in our manifests is taken away in its turn: a story breaks, the program says what is missing, and the story
    /// ends well when the right is given back, without a restart.
    @Suite struct RightsTests {
        @Test(arguments: Backend.all) func noRightCanBeMissedAndNoneIsTooMany(_ backend: Backend) async throws {
            let shipped = try Right.shipped()
            let environment = ProcessInfo.processInfo.environment
            let chosen = environment["ASSAY_RIGHTS"].flatMap { $0 == "all" ? nil : $0.split(separator: ",") }
            let takesAll = chosen == nil && (backend == .local || environment["ASSAY_RIGHTS"] == "all")
            let taken = shipped.sorted().filter { right in
                if let chosen { return chosen.contains { right.description.contains($0) } }
                return takesAll || MissingRight.representative.contains(right.description)
            }
            #expect(chosen != nil || taken.count == (takesAll ? shipped.count : MissingRight.representative.count))
            let trial = RightsTrial(of: "manifests/cluster/rbac.yaml", shipped, table: MissingRight.ofOperator) {
                LimitedOperator($0, image: $1.image)
            }
            try await trial.run(taken, on: backend)
            // Nobody asks to update finalizers: another request is refused where the right is missing.
            let silent = Set(shipped.filter { $0.resource.hasSuffix("/finalizers") })
            trial.expectUse(ofAll: takesAll, but: silent)
        }

        @Test(arguments: Backend.all) func noneOfTheGatewaysCanBeMissedEither(_ backend: Backend) async throws {
            let file = RightsManifestTests.gatewayFiles[1]
            let shipped = try Right.granted(by: file)
            let trial = RightsTrial(of: file, shipped, table: MissingRight.ofGateway) { account, _ in
                LimitedGateway(account)
            }
            try await trial.run(shipped.sorted(), on: backend)
            trial.expectUse(ofAll: true)
        }
    }
}
