import Concurrency
import Files
import HTTPTransport
import OpenSSL
import Testing

@testable import ArtifactStore

/// What becomes of transfers to and from a bucket that break off.
@Suite struct BucketFaultTests: Sendable {
    private let scratch: ScratchDirectory
    private let source: String
    private let target: String

    init() throws {
        scratch = try ScratchDirectory()
        (source, target) = (scratch.path + "/source", scratch.path + "/target")
        try FileSystem.makeDirectories(source)
        // More than two parts of an upload.
        try FileSystem.write(Noise.bytes(2 * TestBucket.partSize + 12_345), to: source + "/large.bin")
    }

    private func local() async throws -> ArtifactManifest {
        try await DirectoryStore(scratch.path + "/store").seal(source)
    }

    private static var hurried: Patience { Patience(limit: .seconds(60), time: HurriedTime()) }

    /// Whatever request or answer is lost, cut or refused for now: what comes of it is the same.
    @Test(arguments: FaultyTransport.Fault.allCases)
    func aConnectionThatBreaksAnywhereLosesNothing(_ fault: FaultyTransport.Fault) async throws {
        let local = try await local()
        try await TestBucket.with { bucket in
            let wire = FaultyTransport(try bucket.transport())
            let whole = try bucket.store("whole", over: wire)
            _ = try await whole.seal(source, tag: "x")
            let count = wire.methods.count
            #expect(count > 10)
            for number in 0..<count {
                let faulty = FaultyTransport(try bucket.transport(), [number: fault])
                let store = try bucket.store("try\(number)", patience: Self.hurried, over: faulty)
                #expect(try await store.seal(source, tag: "x") == local, "\(fault) of request \(number)")
                #expect(try await store.check(try await store.resolve("x")) == local, "\(fault) of request \(number)")
                #expect(try await store.tags() == ["x"])
            }
            for number in 0..<8 {
                let faulty = FaultyTransport(try bucket.transport(), [number: fault])
                let store = try bucket.store("whole", patience: Self.hurried, over: faulty)
                #expect(try await store.tags() == ["x"])
                try await store.fetch(try await store.resolve("x"), to: "\(target)\(number)")
                #expect(try await DirectoryStore(scratch.path + "/store").seal("\(target)\(number)") == local)
                try FileSystem.remove("\(target)\(number)")
            }
        }
    }

    /// What has no manifest is no artifact, however far it came.
    @Test func aSealThatIsGivenUpLeavesNoArtifact() async throws {
        let digest = try await local().digest
        try await TestBucket.with { bucket in
            let wire = FaultyTransport(try bucket.transport())
            _ = try await bucket.store("whole", over: wire).seal(source, tag: "x")
            for number in 0..<wire.methods.count {
                let faulty = FaultyTransport(
                    try bucket.transport(),
                    Dictionary(uniqueKeysWithValues: (number..<number + 100).map { ($0, .requestLost) }))
                let patience = Patience(limit: .seconds(5), time: HurriedTime())
                let store = try bucket.store("try\(number)", patience: patience, over: faulty)
                await #expect(throws: ArtifactError.self) { try await store.seal(source, tag: "x") }
                let after = try bucket.store("try\(number)")
                #expect(try await after.tags() == [])
                // The tag is the last.
                guard number < wire.methods.count - 1 else { continue }
                await #expect(throws: ArtifactError.missing(digest)) { try await after.manifest(digest) }
            }
        }
    }

    @Test func aNetworkThatBreaksAgainAndAgainLosesNothing() async throws {
        try FileSystem.write(Noise.bytes(20 * TestBucket.partSize), to: source + "/larger.bin")
        let local = try await local()
        try await TestBucket.with(relays: 2) { bucket in
            let stores = try (0..<2).map { number in
                let access = BucketAccess(signing: TestBucket.ann, endpoint: bucket.endpoint(relay: number))
                // For chance may have all ten meet the same part.
                let patience = Patience(limit: .seconds(300), time: HurriedTime())
                return try bucket.store(access: access, patience: patience)
            }
            #expect(try await stores[0].seal(source, tag: "x") == local)
            #expect(try bucket.cuts(byRelay: 0) == 10)
            try await stores[1].fetch(try await stores[1].resolve("x"), to: target)
            #expect(try await DirectoryStore(scratch.path + "/store").seal(target) == local)
            #expect(try bucket.cuts(byRelay: 1) == 10)
            #expect(try await bucket.store().check(local.digest) == local)
        }
    }

    /// S3 says that all is well while it puts the parts together, and may say afterwards that it is not.
    @Test(arguments: [
        "<?xml version=\"1.0\"?>\n\n <Error><Code>InternalError</Code><Message>M.</Message></Error>", "  \n", "",
        "<Error><Code>NoSuchUpload</Code></Error>", "<Error><Code>SomethingNew</Code></Error>",
        "<CompleteMultipartUploadResult><Key>",
    ]) func anObjectThatIsNotMadeAfterAllIsMadeAnew(_ text: String) async throws {
        let local = try await local()
        try await TestBucket.with { bucket in
            let failures = Locked(2)
            let wire = AnsweringTransport(try bucket.transport()) { request in
                guard request.method == .post, request.target.contains("?uploadId=") else { return nil }
                let isFailure = failures.withLock { failures in
                    failures -= 1
                    return failures >= 0
                }
                return isFailure ? HTTPResponse(200, text) : nil
            }
            let store = try bucket.store(patience: Self.hurried, over: wire)
            #expect(try await store.seal(source) == local)
            #expect(failures.withLock { $0 } < 0)
            #expect(try await store.check(local.digest) == local)
            #expect(try await bucket.openUploads() == [])
        }
    }

    @Test func anUploadThatIsRefusedIsGivenUp() async throws {
        try await TestBucket.with { bucket in
            let refused = "<Error><Code>AccessDenied</Code><Message>M.</Message></Error>"
            let wire = AnsweringTransport(try bucket.transport()) { request in
                request.target.contains("partNumber=2") ? HTTPResponse(403, refused) : nil
            }
            let store = try bucket.store(over: wire)
            await #expect(throws: ArtifactError.self) { try await store.seal(source) }
            #expect(wire.requests.last?.method == .delete)
            #expect(try await bucket.openUploads() == [])
        }
    }

    @Test func anUploadThatIsCancelledIsGivenUp() async throws {
        try FileSystem.write(Noise.bytes(20 * TestBucket.partSize), to: source + "/larger.bin")
        try await TestBucket.with { bucket in
            let wire = AnsweringTransport(try bucket.transport()) { _ in nil }
            let store = try bucket.store(over: wire)
            let (parts, part) = AsyncStream.makeStream(of: Void.self)
            let seal = Task { () async throws(ArtifactError) in
                try await store.seal(source) { _ in part.yield() }
            }
            var iterator = parts.makeAsyncIterator()
            await iterator.next()
            #expect(try await bucket.openUploads().count == 1)
            seal.cancel()
            await #expect(throws: ArtifactError.self) { try await seal.value }
            #expect(wire.requests.last?.method == .delete)
            #expect(try await bucket.openUploads() == [])
        }
    }

    /// Content that is another when it is read to be sent.
    private final class RestlessContent: BlobContent {
        private let reads = Locked(0)
        private let count: Int
        private let change: Int

        init(_ count: Int, change: Int) {
            self.count = count
            self.change = change
        }

        var known: ArtifactManifest.Blob? { nil }

        func pieces(
            _ take: (UnsafeRawBufferPointer) async throws(ArtifactError) -> Void
        ) async throws(ArtifactError) {
            let isFirst = reads.withLock { reads in
                reads += 1
                return reads == 1
            }
            var bytes = Noise.bytes(isFirst ? count : count + change)
            if !isFirst { bytes[bytes.count - 1] ^= 1 }
            try await WholeContent(bytes).pieces(take)
        }
    }

    @Test(arguments: [1000, TestBucket.partSize, 3 * TestBucket.partSize], [0, -1, 1])
    func contentThatChangesIsNotKept(_ count: Int, _ change: Int) async throws {
        try await TestBucket.with { bucket in
            let wire = AnsweringTransport(try bucket.transport()) { _ in nil }
            let store = try bucket.store(over: wire)
            await #expect(throws: ArtifactError.self) {
                try await store.add(RestlessContent(count, change: change)) { _ in }
            }
            let digest = Digest(of: Noise.bytes(count))
            await #expect(throws: ArtifactError.missing(digest)) {
                try await store.pieces(of: ArtifactManifest.Blob(digest: digest, size: count)) { _ in }
            }
            #expect(wire.requests.allSatisfy { !$0.target.contains("uploadId") || $0.method != .post })
            #expect(try await bucket.openUploads() == [])
        }
    }

    @Test func whatIsReplacedWhileItIsReadIsNotMixed() async throws {
        try await TestBucket.with { bucket in
            let blob = try await bucket.store().add(WholeContent(Noise.bytes(50_000))) { _ in }
            let faulty = FaultyTransport(try bucket.transport(), [0: .bodyCut])
            let store = try bucket.store(patience: Self.hurried, over: faulty)
            let other = try bucket.store()
            let replacement = other.client.request(
                .put, BucketStore.name(blob.digest), body: Noise.bytes(50_000, seed: 2))
            let error = await #expect(throws: ArtifactError.self) {
                try await store.pieces(of: blob) { (_) async throws(ArtifactError) in
                    _ = try await other.client.send(replacement)
                }
            }
            #expect(error?.description.contains("412") == true, "\(String(describing: error))")
        }
    }
}
