import HTTPTransport
import Testing

@testable import CurlTransport

#if canImport(Glibc)
import Glibc
#else
import Musl
#endif

/// Addresses that a server named by somebody else may not be at.
@Suite struct NodeAddressTests {
    private static func bytes(_ text: String) -> [UInt8] {
        var four = in_addr()
        if inet_pton(AF_INET, text, &four) == 1 { return withUnsafeBytes(of: four) { Array($0) } }
        var sixteen = in6_addr()
        if inet_pton(AF_INET6, text, &sixteen) == 1 { return withUnsafeBytes(of: sixteen) { Array($0) } }
        return []
    }

    @Test(arguments: [
        "127.0.0.1", "127.255.0.3", "0.0.0.0", "0.1.2.3", "169.254.169.254", "169.254.0.1", "100.100.100.200",
        "192.0.0.192", "224.0.0.1", "255.255.255.255", "::", "::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254",
        "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "fe80::1", "febf::1", "ff02::1",
        "fd00:ec2::254",
    ]) func refused(_ text: String) { #expect(NodeAddress.kind(Self.bytes(text)) != nil) }

    @Test(arguments: [
        "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1", "1.1.1.1", "169.253.255.255", "169.255.0.0", "128.0.0.1",
        "223.255.255.255", "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::", "fd00::1", "2001:db8::1", "fec0::1",
        "::2:0:0",
    ]) func allowed(_ text: String) { #expect(NodeAddress.kind(Self.bytes(text)) == nil) }

    @Test func whatIsNoAddressIsRefused() { #expect(NodeAddress.kind([]) != nil) }

    /// Whatever a name says: what counts is where it leads.
    @Test(arguments: ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0"])
    func aServerThereIsNotReached(_ host: String) async throws {
        let server = try RawServer { connection in
            _ = connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        }
        let transport = try CurlTransport(
            TransportConfiguration(server: "http://\(host):\(server.port)", refusesNodeAddresses: true))
        let error = await failure { _ = try await transport.send(HTTPRequest(.get, "/")) }
        #expect(error?.code == .invalidRequest)
        #expect(error?.detail == "the name leads to a loopback address, where no server is to be reached")
        #expect(error?.requestWasNotSent == true)
    }

    /// And one that is elsewhere is: this machine's own address on a network counts as such.
    @Test func aServerElsewhereIsReached() async throws {
        let address = try #require(Self.networkAddress(), "this machine has no address but loopback")
        let server = try RawServer(host: address) { connection in
            _ = connection.readRequest()
            connection.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        }
        let transport = try CurlTransport(
            TransportConfiguration(server: "http://\(address):\(server.port)", refusesNodeAddresses: true))
        #expect(try await transport.send(HTTPRequest(.get, "/")).status == 200)
    }

    private static func networkAddress() -> String? {
        var list: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&list) == 0 else { return nil }
        defer { freeifaddrs(list) }
        for entry in sequence(first: list, next: { $0?.pointee.ifa_next }) {
            guard let address = entry?.pointee.ifa_addr else { continue }
            let bytes = NodeAddress.bytes(of: address, length: MemoryLayout<sockaddr_in>.size)
            guard bytes.count == 4, NodeAddress.kind(bytes) == nil else { continue }
            return bytes.map(String.init).joined(separator: ".")
        }
        return nil
    }
}
