import Concurrency
import ControllerRuntime
import FoundationEssentials
import Logging
import OpenSSL
import Testing

@testable import AssayGateway

/// A mounted Secret, as the kubelet changes it: by one symbolic link.
@Suite(.timeLimit(.minutes(1))) struct CertificateFollowerTests {
    private struct World: Sendable {
        let directory = "/tmp/assay-\(UUID().uuidString)"
        let time = ManualTime()
        let log = Locked<[String]>([])
        let used = Locked(0)

        /// Runs it while `body` does.
        func run(_ body: @escaping @Sendable () async throws -> Void) async throws {
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
            let (log, used) = (log, used)
            let logger = Logger(label: "test") { label in
                StructuredLogHandler(label: label, time: ManualTime()) { line in
                    log.withLock { $0.append(String(decoding: line, as: UTF8.self)) }
                }
            }
            let follower = CertificateFollower(
                directory: directory, time: time, logger: logger,
                use: { _, _ in used.withLock { $0 += 1 } })
            do {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { await follower.run() }
                    await time.waitForSleepers(1)
                    try await body()
                    group.cancelAll()
                }
            } catch {
                try FileManager.default.removeItem(atPath: directory)
                throw error
            }
            try FileManager.default.removeItem(atPath: directory)
        }

        /// Puts a pair in the place of what is there.
        func put(_ version: String, certificate: String, key: String) throws {
            let manager = FileManager.default
            try manager.createDirectory(atPath: "\(directory)/\(version)", withIntermediateDirectories: true)
            try certificate.write(toFile: "\(directory)/\(version)/tls.crt", atomically: false, encoding: .utf8)
            try key.write(toFile: "\(directory)/\(version)/tls.key", atomically: false, encoding: .utf8)
            for (name, target) in [
                ("..data", version), ("tls.crt", "..data/tls.crt"), ("tls.key", "..data/tls.key"),
            ] {
                try? manager.removeItem(atPath: "\(directory)/\(name)")
                try manager.createSymbolicLink(atPath: "\(directory)/\(name)", withDestinationPath: target)
            }
        }

        func put(_ version: String, _ certificates: TestCertificates) throws {
            try put(version, certificate: certificates.certificate, key: certificates.key)
        }

        /// Lets it look once more.
        func look() async {
            time.advance(by: CertificateFollower.interval)
            await time.waitForSleepers(1)
        }

        var uses: Int { used.withLock { $0 } }
        func told(_ words: String) -> Int { log.withLock { $0.filter { $0.contains(words) }.count } }
    }

    @Test func whatIsNotThereIsToldOnceAndTakenWhenItComes() async throws {
        let world = World()
        try await world.run {
            for _ in 0..<3 { await world.look() }
            #expect(world.uses == 0 && world.told("there is no certificate") == 1)
            #expect(world.told("the shared TLS port stays closed") == 1)
            try world.put("1", try TestCertificates())
            await world.look()
            #expect(world.uses == 1)
            await world.look()
            #expect(world.uses == 1, "what has not changed is not taken again")
        }
    }

    @Test func aPairThatCannotBeUsedLeavesTheLastOne() async throws {
        let world = World()
        let (first, second) = (try TestCertificates(), try TestCertificates())
        try await world.run {
            try world.put("1", first)
            await world.look()
            #expect(world.uses == 1)
            for (version, certificate, key) in [
                ("2", second.certificate, first.key), ("3", "nonsense", second.key), ("4", second.certificate, ""),
            ] {
                try world.put(version, certificate: certificate, key: key)
                await world.look()
                await world.look()
            }
            #expect(world.uses == 1 && world.told("the certificate cannot be used") == 3)
            #expect(world.told("the last one is kept") == 3)
            #expect(world.told("PRIVATE KEY") == 0)
            try world.put("5", second)
            await world.look()
            #expect(world.uses == 2)
        }
    }

    @Test func filesThatGoAwayLeaveTheLastOne() async throws {
        let world = World()
        try await world.run {
            let pair = try TestCertificates()
            try world.put("1", pair)
            await world.look()
            try FileManager.default.removeItem(atPath: "\(world.directory)/tls.key")
            for _ in 0..<3 { await world.look() }
            #expect(world.uses == 1 && world.told("the last one is kept") == 1)
        }
    }
}
