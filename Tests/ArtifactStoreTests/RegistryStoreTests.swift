import Concurrency
import CurlTransport
import Files
import HTTPTransport
import OpenSSL
import Testing

@testable import ArtifactStore

@Suite struct RegistryStoreTests: Sendable {
    private let scratch: ScratchDirectory
    private let source: String
    private let target: String

    init() throws {
        scratch = try ScratchDirectory()
        (source, target) = (scratch.path + "/source", scratch.path + "/target")
        try FileSystem.makeDirectories(source)
        try FileSystem.write("weights", to: source + "/model.bin")
        // More than two parts of an upload.
        try FileSystem.write(Self.noise(count: 2 * TestRegistry.partSize + 12_345), to: source + "/large.bin")
    }

    /// Bytes of no pattern, the same each time.
    private static func noise(count: Int, seed: UInt64 = 1) -> [UInt8] {
        var state = seed
        return (0..<count).map { _ in
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(truncatingIfNeeded: state >> 56)
        }
    }

    @Test func whatIsSealedIsFetchedUnderTheNameThatItHasElsewhere() async throws {
        let local = try await DirectoryStore(scratch.path + "/store").seal(source)
        try await TestRegistry.with { registry in
            try await registry.running {
                let wire = FaultyTransport(try registry.transport())
                let store = try registry.store(over: wire)
                let sent = Locked(0)
                let manifest = try await store.seal(source, tag: "best") { count in sent.withLock { $0 += count } }
                #expect(manifest == local)
                #expect(sent.withLock { $0 } == manifest.size + manifest.config.size)
                #expect(try await store.resolve("best") == manifest.digest)
                try await store.fetch(manifest.digest, to: target)
                #expect(try await DirectoryStore(scratch.path + "/store").seal(target) == local)
                #expect(try await store.check(manifest.digest) == local)

                let before = wire.methods.count
                #expect(try await store.seal(source, tag: "again") == local)
                let methods = wire.methods[before...]
                #expect(!methods.contains("PATCH") && !methods.contains("POST"), "what is there is not sent again")
                #expect(try await store.tags() == ["again", "best"])

                let copy = try registry.store("other")
                #expect(try await copy.tags() == [])
                await #expect(throws: ArtifactError.unknownTag("best")) { try await copy.resolve("best") }
                await #expect(throws: ArtifactError.missing(local.digest)) { try await copy.manifest(local.digest) }
                #expect(try await copy.copy(local.digest, from: store, tag: "best") == local)
                #expect(try await copy.check(try await copy.resolve("best")) == local)
            }
        }
    }

    /// Whatever request or answer is lost, cut or refused for now: what comes of it is the same.
    @Test(arguments: FaultyTransport.Fault.allCases)
    func aConnectionThatBreaksAnywhereLosesNothing(_ fault: FaultyTransport.Fault) async throws {
        let local = try await DirectoryStore(scratch.path + "/store").seal(source)
        try await TestRegistry.with { registry in
            try await registry.running {
                let wire = FaultyTransport(try registry.transport())
                let whole = try registry.store("whole", over: wire)
                _ = try await whole.seal(source, tag: "x")
                let count = wire.methods.count
                #expect(count > 10)
                for number in 0..<count {
                    let faulty = FaultyTransport(try registry.transport(), [number: fault])
                    let store = try registry.store(
                        "try\(number)", patience: Patience(limit: .seconds(60), time: HurriedTime()), over: faulty)
                    #expect(try await store.seal(source, tag: "x") == local, "\(fault) of request \(number)")
                }
                for number in 0..<8 {
                    let faulty = FaultyTransport(try registry.transport(), [number: fault])
                    let store = try registry.store(
                        "whole", patience: Patience(limit: .seconds(60), time: HurriedTime()), over: faulty)
                    try await store.fetch(local.digest, to: "\(target)\(number)")
                    #expect(try await DirectoryStore(scratch.path + "/store").seal("\(target)\(number)") == local)
                    try FileSystem.remove("\(target)\(number)")
                }
            }
        }
    }

    /// What has no manifest is no artifact, however far it came.
    @Test func aSealThatIsGivenUpLeavesNoArtifact() async throws {
        let digest = try await DirectoryStore(scratch.path + "/store").seal(source).digest
        try await TestRegistry.with { registry in
            try await registry.running {
                let wire = FaultyTransport(try registry.transport())
                _ = try await registry.store("whole", over: wire).seal(source, tag: "x")
                for number in 0..<wire.methods.count {
                    let faulty = FaultyTransport(
                        try registry.transport(),
                        Dictionary(uniqueKeysWithValues: (number..<number + 100).map { ($0, .requestLost) }))
                    let store = try registry.store(
                        "try\(number)", patience: Patience(limit: .seconds(5), time: HurriedTime()), over: faulty)
                    await #expect(throws: ArtifactError.self) { try await store.seal(source, tag: "x") }
                    let after = try registry.store("try\(number)")
                    await #expect(throws: ArtifactError.missing(digest)) { try await after.manifest(digest) }
                    #expect(try await after.tags() == [])
                }
            }
        }
    }

    @Test func aRegistryThatIsKilledAgainAndAgainLosesNothing() async throws {
        // So large that none is done when the first part has arrived.
        try FileSystem.write(Self.noise(count: 8 * TestRegistry.partSize), to: source + "/larger.bin")
        let local = try await DirectoryStore(scratch.path + "/store").seal(source)
        try await TestRegistry.with { registry in
            for round in 0..<10 {
                let store = try registry.store("round\(round)")
                let (parts, part) = AsyncStream.makeStream(of: Void.self)
                let seal = Task { () async throws(ArtifactError) in
                    try await store.seal(source, tag: "x") { _ in part.yield() }
                }
                // It dies with so many parts sent.
                try await registry.running {
                    var iterator = parts.makeAsyncIterator()
                    for _ in 0...(round % 5) { await iterator.next() }
                }
                try await registry.running {
                    let sealed = try await seal.value
                    let kept = try await store.check(try await store.resolve("x"))
                    #expect(sealed == local)
                    #expect(kept == local)
                }
            }
        }
    }

    @Test(arguments: TestRegistry.Access.allCases) func whoMayNotIsToldSo(_ access: TestRegistry.Access) async throws {
        try await TestRegistry.with(access) { registry in
            try await registry.running {
                for credentials in [nil, RegistryCredentials(username: "ann", password: "wrong")] {
                    let store = try registry.store(credentials: credentials)
                    do {
                        _ = try await store.seal(source)
                        Issue.record("it was taken")
                    } catch {
                        #expect("\(error)".contains("401") && !"\(error)".contains("wrong"), "\(error)")
                    }
                }
            }
        }
    }

    @Test func aTokenIsAskedForOnceAndUsed() async throws {
        try await TestRegistry.with(.token) { registry in
            try await registry.running {
                let wire = FaultyTransport(try registry.transport())
                let store = try registry.store(over: wire)
                let manifest = try await store.seal(source, tag: "x")
                _ = try await store.check(manifest.digest)
                #expect(registry.tokensGiven == 1)
            }
        }
    }

    @Test func aRegistryThatIsAwayIsWaitedForAsLongAsWasSaid() async throws {
        try await TestRegistry.with { registry in
            let time = HurriedTime()
            let store = try registry.store(patience: Patience(limit: .seconds(600), time: time))
            do {
                _ = try await store.seal(source)
                Issue.record("it was taken")
            } catch {
                #expect("\(error)".contains("this was tried"), "\(error)")
            }
            #expect((.seconds(560)...(.seconds(600))).contains(time.monotonicNow()))
        }
    }
}
