import JSON
import OpenSSL
import Testing

@testable import AssayCore

@Suite struct ArtifactReferencesTests {
    @Test func everyDigestCountsWhereverItStands() throws {
        let digests = (0..<6).map { Digest(of: [UInt8($0)]) }
        let object: JSONValue = [
            "metadata": ["annotations": ["x": .string(#"{"a":"\#(digests[0])"}"#)]],
            "status": [
                "runs": [["artifacts": [["digest": .string("\(digests[1])")]]]],
                "images": .string("registry.local/x@\(digests[2]) and \(digests[3])"), "\(digests[4])": true,
                "broken": "sha256:12 sha256:", "number": 3,
            ],
        ]
        #expect(ArtifactReferences.digests(in: object) == Set(digests[..<5]))
    }

    @Test func tagsOfResultsAreTold() {
        let key = StepKey.key(recipe: "x", images: [:], inputs: [:])
        #expect(StepKey.key(ofTag: key) == key)
        #expect(StepKey.key(ofTag: StepKey.tag(of: "model", key: key)) == key)
        let revision = RunKey.key(steps: [key])
        #expect(StepKey.key(ofTag: revision) == revision)
        for tag in ["best", "step-1", "step-\(key.dropFirst(6))", key + "0", key.uppercased()] {
            #expect(StepKey.key(ofTag: tag) == nil)
        }
    }
}
