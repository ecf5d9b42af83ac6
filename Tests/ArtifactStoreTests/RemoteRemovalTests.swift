import Concurrency
import Files
import HTTPTransport
import KubernetesModel
import OpenSSL
import Testing

@testable import ArtifactStore

/// Registries and buckets that forget, against Debian's registry and moto.
@Suite struct RemoteRemovalTests: Sendable {
    private let scratch: ScratchDirectory

    init() throws { scratch = try ScratchDirectory() }

    private func source(_ text: String) throws -> String {
        let source = "\(scratch.path)/\(text)"
        try FileSystem.makeDirectories(source)
        try FileSystem.write(text, to: source + "/model.bin")
        return source
    }

    private static let future = Timestamp(seconds: 4_000_000_000)

    @Test func aRegistryForgetsAnArtifactWithItsTags() async throws {
        try await TestRegistry.with { registry in
            try await registry.running {
                let store = try registry.store()
                let first = try await store.seal(try source("first"), tag: "step-a.x")
                try await store.add(first, tag: "step-b.x")
                let record = try await store.seal(try source("record"), tag: "step-a")
                let second = try await store.seal(try source("second"), tag: "best")
                let untagged = try await store.seal(try source("third"))

                let inventory = try await store.inventory([untagged.digest, Digest(of: [])])
                #expect(inventory.artifacts.count == 4 && inventory.blobs == nil)
                #expect(inventory.artifacts[first.digest]?.tags == ["step-a.x", "step-b.x"])
                #expect(
                    inventory.garbage(keeping: [], unlessSince: Self.future, resultTags).isEmpty,
                    "it does not tell how old they are")
                let removal = inventory.garbage(keeping: [], unlessSince: nil, resultTags)
                #expect(removal.artifacts.map(\.digest).first == record.digest)
                _ = try await store.carryOut(removal, of: inventory, unlessSince: nil, blobsUnlessSince: nil) { _ in }
                for gone in [first, record, untagged] {
                    await #expect(throws: ArtifactError.missing(gone.digest)) { try await store.manifest(gone.digest) }
                    #expect(try await store.remove(gone.digest, unlessSince: nil), "it has gone already")
                }
                #expect(try await store.tags() == ["best"])
                #expect(try await store.check(second.digest) == second)
                #expect(try await store.touch(second.digest))
                #expect(try await store.touch(first.digest) == false)
            }
        }
    }

    /// A token server gives what is asked for and no more: who removes has to ask for it.
    @Test func whoRemovesAsksATokenServerForThatRight() async throws {
        try await TestRegistry.with(.token) { registry in
            try await registry.running {
                let writer = try registry.store()
                let manifest = try await writer.seal(try source("first"), tag: "best")
                await #expect(throws: ArtifactError.self) { try await writer.remove(manifest.digest, unlessSince: nil) }
                let remover = try registry.store(rights: .remove)
                #expect(try await remover.remove(manifest.digest, unlessSince: nil))
                await #expect(throws: ArtifactError.missing(manifest.digest)) {
                    try await remover.manifest(manifest.digest)
                }
            }
        }
    }

    @Test func aRegistryThatRemovesNothingIsTold() async throws {
        try await TestRegistry.with(allowsDeletion: false) { registry in
            try await registry.running {
                let store = try registry.store()
                let manifest = try await store.seal(try source("first"), tag: "best")
                do {
                    _ = try await store.remove(manifest.digest, unlessSince: nil)
                    Issue.record("it was removed")
                } catch {
                    #expect("\(error)".contains("storage.delete.enabled"), "\(error)")
                }
                do {
                    _ = try await store.remove(tag: "best", unlessSince: nil)
                    Issue.record("it was removed")
                } catch {
                    #expect("\(error)".contains("by its digest"), "\(error)")
                }
                #expect(try await store.check(try await store.resolve("best")) == manifest)
            }
        }
    }

    @Test func aBucketForgetsToTheLastByte() async throws {
        try await TestBucket.with { bucket in
            let store = try bucket.store()
            let first = try await store.seal(try source("first"), tag: "step-a.x")
            _ = try await store.seal(try source("record"), tag: "step-a")
            let second = try await store.seal(try source("second"), tag: "best")
            let other = try bucket.store("team")
            let inventory = try await store.inventory()
            #expect(inventory.artifacts.count == 3 && inventory.blobs?.count == 9)
            #expect(try await other.inventory().artifacts.isEmpty, "what lies deeper is another store's")

            let early = Timestamp(seconds: 1_600_000_000)
            #expect(inventory.garbage(keeping: [], unlessSince: early, resultTags).isEmpty)
            let removal = inventory.garbage(keeping: [], unlessSince: Self.future, resultTags)
            // What has been kept since is left, whatever was thought of it.
            let none = try await store.carryOut(
                removal, of: inventory, unlessSince: early, blobsUnlessSince: early
            ) { _ in }
            #expect(none == 0)
            #expect(try await store.check(first.digest) == first)

            let freed = try await store.carryOut(
                removal, of: inventory, unlessSince: Self.future, blobsUnlessSince: Self.future
            ) { _ in }
            #expect(freed > first.size)
            #expect(try await store.contents()?.count == 3)
            #expect(try await store.tags() == ["best"])
            #expect(try await store.check(second.digest) == second)
            await #expect(throws: ArtifactError.missing(first.digest)) { try await store.manifest(first.digest) }
        }
    }

    /// What is there is not sent again, but is as young as if it had been.
    @Test func uploadsToABucketThatCameToNoEndAreGivenUp() async throws {
        try await TestBucket.with { bucket in
            let store = try bucket.store()
            let other = try bucket.store("team/other")
            for store in [store, other] {
                let request = store.client.request(.post, "blobs/sha256/half", query: [("uploads", "")])
                #expect(try await store.client.send(request).status == 200)
            }
            let manifest = try await store.seal(try source("first"), tag: "best")
            #expect(try await store.abandonUploads(unlessSince: Timestamp(seconds: 0)) == 0, "it may be under way")
            #expect(try await store.abandonUploads(unlessSince: Self.future) == 1)
            #expect(try await bucket.openUploads().count == 1, "the other is somebody else's")
            #expect(try await store.check(manifest.digest) == manifest)
        }
    }

    @Test func whatABucketHasBecomesYoungWhenItIsSealedAgain() async throws {
        try await TestBucket.with { bucket in
            let late = Locked(false)
            let old = ChangingTransport(try bucket.transport()) { response in
                guard late.withLock({ $0 }), response.headers["Last-Modified"] != nil else { return }
                response.headers["Last-Modified"] = "Sun, 06 Nov 1994 08:49:37 GMT"
            }
            let store = try bucket.store("a b/Übung", over: old)
            let manifest = try await store.seal(try source("first"))
            let before = try #require(try await store.contents()?.map(\.time).max())
            late.withLock { $0 = true }
            // The times of objects are of whole seconds.
            while Timestamp(sinceEpoch: SystemTime().wallNow()) - before < .milliseconds(1100) {
                try await Task.sleep(for: .milliseconds(50))
            }
            #expect(try await store.seal(try source("first")) == manifest)
            #expect(try await store.touch(manifest.digest))
            for blob in try #require(try await store.contents()) { #expect(blob.time > before) }
            #expect(try await store.check(manifest.digest) == manifest)
            #expect(try await store.touch(Digest(of: [9])) == false)
        }
    }

    @Test func timesOfHTTPAreRead() {
        #expect(Timestamp(httpDate: "Sun, 06 Nov 1994 08:49:37 GMT")?.description == "1994-11-06T08:49:37Z")
        for text in ["", "06 Nov 1994", "Sun, 06 Nov 1994 08:49:37 CET", "Sun, 06 Nox 1994 08:49:37 GMT"] {
            #expect(Timestamp(httpDate: text) == nil)
        }
    }
}

/// Changes what is said of answers.
private final class ChangingTransport: HTTPTransport {
    private let base: any HTTPTransport
    private let change: @Sendable (inout HTTPResponse) -> Void

    init(_ base: any HTTPTransport, _ change: @escaping @Sendable (inout HTTPResponse) -> Void) {
        self.base = base
        self.change = change
    }

    func send(_ request: HTTPRequest) async throws(HTTPTransportError) -> HTTPResponse {
        var response = try await base.send(request)
        change(&response)
        return response
    }
}
