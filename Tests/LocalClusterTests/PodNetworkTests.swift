import Glibc
import Logging
import Testing

@testable import LocalCluster

/// Needs the right to make networks.
@Suite(.enabled(if: geteuid() == 0)) struct PodNetworkTests {
    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private static func withNetwork(_ body: (NodeNetwork) async throws -> Void) async throws {
        var options = NodeNetworkOptions()
        options.mode = .bridge
        let network: NodeNetwork
        do {
            network = try await NodeNetwork.open(options, logger: logger)
        } catch {
            try Test.cancel("no bridge may be made here: \(error)")
        }
        do {
            try await body(network)
        } catch {
            await network.close()
            throw error
        }
        await network.close()
    }

    @Test func anAddressIsGivenAgainOnlyAfterAllOthers() async throws {
        try await Self.withNetwork { network in
            let first = try await network.attach()
            await network.detach(first)
            let second = try await network.attach()
            #expect(second.address != first.address)
        }
    }

    /// A container that was started while the namespace was there has its mount, and keeps it alive.
    @Test func aNamespaceThatSomebodyStillHoldsIsInNobodysWay() async throws {
        try await Self.withNetwork { network in
            let first = try await network.attach()
            let path = try #require(first.namespacePath)
            let holder = open(path, O_RDONLY | O_CLOEXEC)
            #expect(holder >= 0)
            defer { close(holder) }
            await network.detach(first)
            let links = try await IPCommand.run(["-o", "link", "show", "master", network.bridge])
            #expect(links == "")
        }
    }
}
