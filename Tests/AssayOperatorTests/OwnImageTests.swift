import Concurrency
import ControllerRuntime
import JSON
import Testing

@testable import AssayOperator

@Suite struct OwnImageTests {
    private static let digest = "sha256:" + String(repeating: "ab", count: 32)
    private static let container: JSONValue = ["name": "operator", "image": "registry.local:5000/assay:0.1.0"]

    struct Case: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var containers: [JSONValue] = [OwnImageTests.container]
        var imageIDs: [String: String]
        var reference: String
    }

    static let cases = [
        Case(
            testDescription: "a digest pins the repository of the spec",
            imageIDs: ["operator": "mirror.local/other@\(digest)"],
            reference: "registry.local:5000/assay@\(digest)"),
        Case(
            testDescription: "an imported image has no digest", imageIDs: ["operator": digest],
            reference: "registry.local:5000/assay:0.1.0"),
        Case(
            testDescription: "a container beside it is not it",
            containers: [["name": "mesh", "image": "mesh:1"], container],
            imageIDs: ["mesh": "mesh@sha256:\(String(repeating: "0", count: 64))", "operator": "assay@\(digest)"],
            reference: "registry.local:5000/assay@\(digest)"),
        Case(
            testDescription: "a container of another name",
            containers: [["name": "assay", "image": "assay"]], imageIDs: ["assay": "assay@\(digest)"],
            reference: "assay@\(digest)"),
    ]

    @Test(arguments: cases) func itIsReadFromThePod(_ aCase: Case) async throws {
        let world = PodWorld()
        try await world.install()
        try await world.createPod(containers: aCase.containers, pullSecrets: ["registry", "mirror"])
        try await world.setStatus(aCase.imageIDs)
        await world.own.learn()
        let image = try #require(world.own.current)
        #expect(image.reference == aCase.reference)
        #expect(image.pullSecrets == ["registry", "mirror"])
        #expect(world.lines("own image").count == 1)
        #expect(world.lines(aCase.reference).count == 1)
        #expect(world.metrics.exposition().contains("assay_operator_image_info{image=\"\(aCase.reference)\"} 1\n"))
    }

    @Test func itWaitsForTheNodeToSayWhatItRuns() async throws {
        let world = PodWorld()
        try await world.install()
        try await world.createPod(containers: [Self.container])
        try await world.learning {
            await world.time.waitForSleepers(1)
            #expect(world.own.current?.reference == "registry.local:5000/assay:0.1.0")
            try await world.setStatus(["operator": "assay@\(Self.digest)"])
            world.time.advance(by: .seconds(1))
            try await world.until { world.own.current?.reference.contains("@sha256:") == true }
        }
    }

    @Test func aNodeThatNeverSaysIsNotAskedForEver() async throws {
        let world = PodWorld()
        try await world.install()
        try await world.createPod(containers: [Self.container])
        try await world.learning {
            for pause in [1, 2, 4, 8, 16] {
                await world.time.waitForSleepers(1)
                world.time.advance(by: .seconds(pause))
            }
            try await world.until { !world.lines("own image").isEmpty }
        }
        #expect(world.own.current?.reference == "registry.local:5000/assay:0.1.0")
        #expect(world.time.sleeperCount == 0)
    }

    @Test func outsideOfAPodItIsUnknownAndNothingIsAsked() async {
        let world = PodWorld(pod: nil)
        await world.own.learn()
        #expect(world.own.current == nil)
        #expect(world.lines("not in a pod").count == 1)
    }

    /// The rights come after the operator, and the pod after the rights.
    @Test func whatIsMissingIsALineInTheLogAndNoMoreThanThat() async throws {
        let world = PodWorld()
        try await world.learning {
            for pause in [1, 2] {
                await world.time.waitForSleepers(1)
                world.time.advance(by: .seconds(pause))
            }
            await world.time.waitForSleepers(1)
            #expect(world.lines("own pod cannot be read").count == 1)
            #expect(world.lines("403 Forbidden").count == 1)
            #expect(world.own.current == nil)

            try await world.install()
            world.time.advance(by: .seconds(4))
            await world.time.waitForSleepers(1)
            #expect(world.lines("404 NotFound").count == 1)

            try await world.createPod(containers: [Self.container])
            try await world.setStatus(["operator": "assay@\(Self.digest)"])
            world.time.advance(by: .seconds(8))
            try await world.until { world.own.current != nil }
        }
    }
}
