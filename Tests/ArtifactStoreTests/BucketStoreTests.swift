import Concurrency
import Files
import HTTPTransport
import OpenSSL
import Testing

@testable import ArtifactStore

/// Against moto, which checks the signature of each request.
@Suite struct BucketStoreTests: Sendable {
    private let scratch: ScratchDirectory
    private let source: String
    private let target: String

    init() throws {
        scratch = try ScratchDirectory()
        (source, target) = (scratch.path + "/source", scratch.path + "/target")
        try FileSystem.makeDirectories(source)
        try FileSystem.write("weights", to: source + "/model.bin")
        // More than two parts of an upload.
        try FileSystem.write(Noise.bytes(2 * TestBucket.partSize + 12_345), to: source + "/large.bin")
    }

    private func local() async throws -> ArtifactManifest {
        try await DirectoryStore(scratch.path + "/store").seal(source)
    }

    /// Fetches it, and compares it with what was sealed.
    private func check(_ digest: Digest, in store: BucketStore, to target: String) async throws {
        try await store.fetch(digest, to: target)
        #expect(try await DirectoryStore(scratch.path + "/store").seal(target).digest == digest)
        try FileSystem.remove(target)
    }

    @Test(arguments: [false, true])
    func whatIsSealedIsFetchedUnderTheNameThatItHasElsewhere(byTLS isTLS: Bool) async throws {
        let local = try await local()
        try await TestBucket.with(tls: isTLS) { bucket in
            let wire = FaultyTransport(try bucket.transport())
            let store = try bucket.store(over: wire)
            let sent = Locked(0)
            let manifest = try await store.seal(source, tag: "best") { count in sent.withLock { $0 += count } }
            #expect(manifest == local)
            #expect(sent.withLock { $0 } == manifest.size + manifest.config.size)
            #expect(try await store.resolve("best") == manifest.digest)
            try await check(manifest.digest, in: store, to: target)
            #expect(try await store.check(manifest.digest) == local)

            let before = wire.methods.count
            #expect(try await store.seal(source, tag: "again") == local)
            let methods = wire.methods[before...]
            #expect(methods.filter { $0 != "HEAD" } == ["PUT"], "only the tag is sent, and not what is there")
            #expect(try await store.tags() == ["again", "best"])

            let copy = try bucket.store("other")
            #expect(try await copy.tags() == [])
            await #expect(throws: ArtifactError.unknownTag("best")) { try await copy.resolve("best") }
            await #expect(throws: ArtifactError.missing(local.digest)) { try await copy.manifest(local.digest) }
            #expect(try await copy.copy(local.digest, from: store, tag: "best") == local)
            #expect(try await copy.check(try await copy.resolve("best")) == local)
            #expect(try await bucket.openUploads() == [])
        }
    }

    /// Names that a signature is easily wrong for, by both ways to name a bucket, as either of two users.
    @Test func everyNameIsSignedAsTheServerReadsIt() async throws {
        let local = try await local()
        try await TestBucket.with { bucket in
            let accesses = [
                BucketAccess(signing: TestBucket.ann, endpoint: bucket.endpoint()),
                BucketAccess(
                    signing: TestBucket.keeper, endpoint: bucket.endpoint("localhost"), hasHostPerBucket: true),
            ]
            for (number, access) in accesses.enumerated() {
                for prefix in ["", "a b/Übung+%41~*'()", "x=y&z?/-_.,;$"] {
                    let store = try bucket.store(prefix, access: access)
                    let tag = "a_\(number).X-1"
                    #expect(try await store.seal(source, tag: tag) == local)
                    #expect(try await store.check(try await store.resolve(tag)) == local)
                    #expect(try await store.tags().contains(tag))
                }
            }
        }
    }

    @Test func partsHaveTheSizeThatStoresTake() async throws {
        try FileSystem.write(Noise.bytes(20 << 20), to: source + "/larger.bin")
        let local = try await local()
        try await TestBucket.with { bucket in
            let wire = AnsweringTransport(try bucket.transport()) { _ in nil }
            var store = try bucket.store(over: wire)
            store.partSize = BucketStore.partSize
            #expect(try await store.seal(source) == local)
            let parts = wire.requests.filter { $0.target.contains("partNumber=") }.compactMap { $0.body?.count }
            #expect(parts.count == 3 && parts[0] == 8 << 20 && parts[1] == 8 << 20)
            #expect(try await store.check(local.digest) == local)
        }
    }

    @Test func tagsAreListedPageByPage() async throws {
        try await TestBucket.with { bucket in
            let wire = AnsweringTransport(try bucket.transport()) { _ in nil }
            var store = try bucket.store("a b", over: wire)
            let manifest = try await store.seal(source)
            let tags = ["1", "A", "_", "a", "b.c"]
            for tag in tags { try await store.add(manifest, tag: tag) }
            // What is no tag: a name that none has, and one of another directory.
            for name in ["tags/é&<x>", "tags/a/b"] {
                let response = try await store.client.send(store.client.request(.put, name, body: [1]))
                #expect(response.status == 200)
            }
            let before = wire.requests.count
            store.pageSize = 2
            #expect(try await store.tags() == tags)
            #expect(wire.requests.count - before >= 3)
        }
    }

    @Test func whoMayNotIsToldSo() async throws {
        try await TestBucket.with { bucket in
            let cases: [(RequestSigning, String)] = [
                (TestBucket.signing(TestBucket.ann.accessKey, "hunter2"), "SignatureDoesNotMatch"),
                (TestBucket.signing("AKIANOBODY0000000000", "hunter2"), "InvalidAccessKeyId"),
                (TestBucket.bob, "AccessDenied"),
                (TestBucket.signing(TestBucket.keeper.accessKey, "for a while", "hunter2"), "InvalidToken"),
                (TestBucket.signing(TestBucket.keeper.accessKey, "hunter2", "token/of+a=session"), "SignatureDoesNot"),
            ]
            for (signing, code) in cases {
                let store = try bucket.store(
                    access: BucketAccess(signing: signing, endpoint: bucket.endpoint()),
                    patience: Patience(limit: .zero))
                let error = await #expect(throws: ArtifactError.self) { try await store.seal(source) }
                #expect(error?.description.contains(code) == true, "\(String(describing: error))")
                #expect(error?.description.contains("hunter2") == false)
            }
            let elsewhere = try bucket.store(bucket: "nowhere")
            let error = await #expect(throws: ArtifactError.self) { try await elsewhere.seal(source) }
            #expect(error?.description.contains("404 NoSuchBucket") == true, "\(String(describing: error))")
            await #expect(throws: ArtifactError.self) { try await elsewhere.tags() }
            await #expect(throws: ArtifactError.self) { try await elsewhere.resolve("x") }
            #expect(try await bucket.store().tags() == [])
        }
    }

    @Test func whatWasChangedInTheBucketIsNotTaken() async throws {
        let local = try await local()
        try await TestBucket.with { bucket in
            let store = try bucket.store()
            _ = try await store.seal(source, tag: "x")
            let layer = try #require(local.layers.first)
            var bytes: [UInt8] = []
            try await store.pieces(of: layer) { bytes += $0 }
            bytes[1000] ^= 1
            let name = BucketStore.name(layer.digest)
            _ = try await store.client.send(store.client.request(.put, name, body: bytes))
            await #expect(throws: ArtifactError.self) { try await store.fetch(local.digest, to: target) }
            #expect(try FileSystem.entries(target).isEmpty)
            // Of another size it is replaced by the next seal.
            _ = try await store.client.send(store.client.request(.put, name, body: [1, 2, 3]))
            await #expect(throws: ArtifactError.self) { try await store.check(local.digest) }
            _ = try await store.seal(source, tag: "x")
            #expect(try await store.check(local.digest) == local)
        }
    }
}

/// Bytes of no pattern, the same each time.
enum Noise {
    static func bytes(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
        var state = seed
        return (0..<count).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(truncatingIfNeeded: state >> 56)
        }
    }
}
