import CLinux
import Files
import Glibc
import KubernetesModel
import OpenSSL
import Testing

@testable import ArtifactStore

/// Which tags are those of results, as `StepKey` of the program has them: short ones will do here.
let resultTags = ResultTags { tag in tag.hasPrefix("step-") ? String(tag.prefix { $0 != "." }) : nil }

/// What is removed, as a decision.
@Suite struct RemovalPlanTests {
    private static let now = Timestamp(seconds: 1_800_000_000)
    private static let yesterday = now + .seconds(-86_400)
    private static let long = now + .seconds(-10 * 86_400)

    private static func blob(_ number: Int) -> ArtifactManifest.Blob {
        ArtifactManifest.Blob(digest: Digest(of: Array("blob \(number)".utf8)), size: 100 + number)
    }

    /// A store with artifacts of these layers, tags and times.
    private static func store(
        _ artifacts: [(layers: [Int], tags: Set<String>, time: Timestamp?)], loose: [(Int, Timestamp)] = []
    ) -> (inventory: StoreInventory, digests: [Digest]) {
        var inventory = StoreInventory(artifacts: [:], blobs: [])
        var digests: [Digest] = []
        var blobs: [Digest: StoredBlob] = [:]
        for artifact in artifacts {
            let (manifest, config) = ArtifactManifest.describing(artifact.layers.map(blob))
            digests.append(manifest.digest)
            inventory.artifacts[manifest.digest] = .init(manifest: manifest, tags: artifact.tags, time: artifact.time)
            let parts =
                [manifest.config] + manifest.layers
                + [ArtifactManifest.Blob(digest: manifest.digest, size: manifest.bytes.count)]
            #expect(manifest.config.size == config.count)
            for part in parts {
                let time = max(blobs[part.digest]?.time ?? long, artifact.time ?? long)
                blobs[part.digest] = StoredBlob(digest: part.digest, size: part.size, time: time)
            }
        }
        for (number, time) in loose {
            blobs[blob(number).digest] = StoredBlob(digest: blob(number).digest, size: blob(number).size, time: time)
        }
        inventory.blobs = Array(blobs.values)
        return (inventory, digests)
    }

    @Test func whatNobodyRefersToGoesAndWhatItSharesStays() throws {
        let (inventory, digests) = Self.store(
            [([1, 2], [], Self.long), ([2, 3], [], Self.long), ([4], ["best"], Self.long), ([5], [], Self.now)],
            loose: [(6, Self.long), (7, Self.now)])
        let removal = inventory.garbage(keeping: [digests[1]], unlessSince: Self.yesterday, resultTags)
        #expect(removal.artifacts.map(\.digest) == [digests[0]])
        #expect(removal.young == [digests[3]])
        let blobs = Set(removal.blobs.map(\.digest))
        #expect(blobs.contains(Self.blob(1).digest) && blobs.contains(Self.blob(6).digest))
        for number in [2, 3, 4, 5, 7] { #expect(!blobs.contains(Self.blob(number).digest)) }
    }

    /// Who had it made needs it no more; what a person has named, and what somebody has found since, stays, and so does what
    /// may be on its way.
    @Test func whatIsWithdrawnTakesItsOwnAlone() throws {
        let (inventory, digests) = Self.store(
            [
                ([1, 2], ["step-a.x"], Self.long), ([2, 3], [], Self.long), ([4], ["best"], Self.long),
                ([5], ["step-b.x"], Self.now), ([6], ["step-a"], Self.long),
            ],
            loose: [(7, Self.long)])
        let removal = inventory.withdrawal(
            of: [digests[0], digests[2], digests[3]], unlessSince: Self.yesterday, resultTags)
        #expect(removal.artifacts.map(\.digest) == [digests[4], digests[0]], "the record first")
        #expect(removal.young == [digests[3]])
        let blobs = Set(removal.blobs.map(\.digest))
        #expect(blobs.contains(Self.blob(1).digest) && blobs.contains(Self.blob(6).digest))
        for number in [2, 3, 4, 5, 7] { #expect(!blobs.contains(Self.blob(number).digest)) }
    }

    @Test func theRecordOfAResultGoesWithItAndBeforeIt() throws {
        let (inventory, digests) = Self.store([
            ([1], ["step-a"], Self.long), ([2], ["step-a.x"], Self.long), ([3], ["step-a.y"], Self.long),
            ([4], ["step-b"], Self.long), ([5], ["step-b.x"], Self.long), ([6], ["step-c"], Self.now),
            ([7], ["step-c.x"], Self.long), ([8], ["step-d"], Self.long),
        ])
        let removal = inventory.garbage(
            keeping: [digests[2], digests[4]], unlessSince: Self.yesterday, resultTags)
        // Of a, y is used and x is not: the record would promise both. All of b is used, and c was found just now.
        #expect(removal.artifacts.map(\.digest).last == digests[1])
        #expect(Set(removal.artifacts.map(\.digest)) == [digests[0], digests[1], digests[7]])
        let named = inventory.removal(of: [digests[4]], blobsUnlessSince: Self.yesterday, resultTags)
        #expect(named.artifacts.map(\.digest) == [digests[3], digests[4]])
    }

    @Test func aTagThatGoesTakesWhatHadNoOther() {
        let (inventory, digests) = Self.store([([1], ["a", "b"], Self.long), ([2], ["c"], Self.now)])
        let one = inventory.removal(of: [], tags: ["a"], blobsUnlessSince: Self.yesterday, resultTags)
        #expect(one.artifacts.isEmpty && one.tags == ["a"] && one.blobs.isEmpty)
        let both = inventory.removal(of: [], tags: ["a", "b"], blobsUnlessSince: Self.yesterday, resultTags)
        #expect(both.artifacts.map(\.digest) == [digests[0]] && both.tags.isEmpty)
        let late = inventory.removal(
            of: [digests[1]], unlessSince: Self.yesterday, blobsUnlessSince: Self.yesterday, resultTags)
        #expect(late.artifacts.isEmpty && late.tags.isEmpty && late.young == [digests[1]])
    }

    @Test func aStoreThatTellsNoTimesLosesNothingUnlessAllMayGo() {
        var (inventory, digests) = Self.store([([1], [], nil)])
        inventory.blobs = nil
        #expect(inventory.garbage(keeping: [], unlessSince: Self.yesterday, resultTags).isEmpty)
        let all = inventory.garbage(keeping: [], unlessSince: nil, resultTags)
        #expect(all.artifacts.map(\.digest) == digests)
    }

    /// Whatever a store has and whoever refers to what: neither that, nor what has a person's tag, nor what is young goes, nor
    /// anything that it consists of; and no record stays that promises what has gone.
    @Test(arguments: 0..<400) func whatIsReferredToNeverGoes(_ seed: Int) {
        var random = SeededNumbers(state: UInt64(seed) &* 7919 &+ 1)
        var tagged: [(layers: [Int], tags: Set<String>, time: Timestamp?)] = []
        for number in 0..<Int.random(in: 1...12, using: &random) {
            let layers =
                (0..<Int.random(in: 1...3, using: &random)).map { _ in
                    Int.random(in: 0...9, using: &random)
                } + [100 + number]
            let tags = ["best", "step-a", "step-a.x", "step-a.y", "step-b", "step-b.x", "step-c.x"].filter { tag in
                Int.random(in: 0...5, using: &random) == 0 && !tagged.contains { $0.tags.contains(tag) }
            }
            let time = [Self.long, Self.yesterday, Self.now].randomElement(using: &random)
            tagged.append((layers, Set(tags), time))
        }
        let (inventory, digests) = Self.store(tagged, loose: [(50, Self.long), (51, Self.now)])
        let kept = Set(digests.filter { _ in Bool.random(using: &random) })
        let removal = inventory.garbage(keeping: kept, unlessSince: Self.yesterday, resultTags)
        let gone = Set(removal.artifacts.map(\.digest))
        let blobs = Set(removal.blobs.map(\.digest))
        var left: Set<String> = []
        for (digest, artifact) in inventory.artifacts {
            let isKept =
                kept.contains(digest) || artifact.tags.contains("best")
                || artifact.time.map { $0 >= Self.yesterday } ?? true
            // A record may go for what it promises, if no more than a record.
            if isKept && !artifact.tags.contains(where: { $0 == "step-a" || $0 == "step-b" }) {
                #expect(!gone.contains(digest))
            }
            guard !gone.contains(digest) else { continue }
            left.formUnion(artifact.tags.subtracting(removal.tags))
            #expect(!blobs.contains(digest) && !blobs.contains(artifact.manifest.config.digest))
            #expect(blobs.isDisjoint(with: artifact.manifest.layers.map(\.digest)))
        }
        for record in ["step-a", "step-b"] where left.contains(record) {
            for (digest, artifact) in inventory.artifacts
            where artifact.tags.contains(where: { $0.hasPrefix(record + ".") }) {
                #expect(!gone.contains(digest), "\(record) promises what has gone")
            }
        }
        if !blobs.isEmpty { #expect(!blobs.contains(Self.blob(51).digest)) }
    }
}

private struct SeededNumbers: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state ^ (state >> 31)
    }
}
