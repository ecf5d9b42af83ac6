import Glibc
import Logging
import Testing

@testable import LocalCluster

/// The network as Linux has it; where it may not be made, there is nothing to test.
@Suite struct BridgeTests {
    /// Pods remember it for half a minute: with another one they would reach nobody.
    @Test func theBridgesAddressStaysWhicheverPodsComeAndGo() async throws {
        let network = try await NodeNetwork.open(NodeNetworkOptions(), logger: Logger(label: "test"))
        if network.isHost { try Test.cancel("no bridge can be made here") }
        func address() async throws -> String {
            try await IPCommand.run(["-o", "link", "show", network.bridge])
                .split(separator: " ").drop { $0 != "link/ether" }.dropFirst().first.map(String.init) ?? ""
        }
        let first = try await address()
        #expect(!first.isEmpty)
        var pods: [NodeNetwork.Attachment] = []
        for _ in 0..<5 {
            pods.append(try await network.attach())
            #expect(try await address() == first)
        }
        for pod in pods {
            await network.detach(pod)
            #expect(try await address() == first)
        }
        await network.close()
    }
}
