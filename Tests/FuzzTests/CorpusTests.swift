import FoundationEssentials
import FuzzProperties
import Testing

/// What the fuzzer found worth keeping, and what it found wrong, once more in every run of the suite.
@Suite struct CorpusTests {
    private static let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "FuzzCorpus")

    private static func corpus(_ target: FuzzTarget) throws -> [(name: String, bytes: [UInt8])] {
        let folder = Self.folder.appending(path: target.rawValue)
        return try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted().map { name in
            (name, Array(try Data(contentsOf: folder.appending(path: name))))
        }
    }

    @Test(arguments: FuzzTarget.allCases) func everyInputOfTheCorpusKeepsTheLaws(_ target: FuzzTarget) async throws {
        let corpus = try Self.corpus(target)
        #expect(corpus.count >= 8)
        for (name, bytes) in corpus {
            do {
                try await target.check(bytes)
            } catch {
                Issue.record("\(name): \(error)")
            }
        }
    }

    @Test(arguments: FuzzTarget.allCases) func twoThousandMutationsKeepTheLaws(_ target: FuzzTarget) async throws {
        var mutation = Mutation(corpus: try Self.corpus(target).map(\.bytes), seed: 1)
        for _ in 0..<2000 {
            let input = mutation.next()
            do {
                try await target.check(input)
            } catch {
                Issue.record("\(error)\n  input, in base64: \(Data(input).base64EncodedString())")
                return
            }
        }
    }
}
