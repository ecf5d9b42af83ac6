#if canImport(Glibc)
import Glibc
#else
import Musl
#endif

/// An address that means the machine itself, its link, or what a cloud tells machines about themselves: nothing that a name given
/// by somebody else should lead to.
enum NodeAddress {
    /// What such an address is; nil for any other. Private addresses are others.
    /// - Parameter bytes: four of IPv4, or sixteen of IPv6, in the order of the wire.
    static func kind(_ bytes: [UInt8]) -> String? {
        switch bytes.count {
        case 4: kind(ofIPv4: bytes)
        case 16: kind(ofIPv6: bytes)
        default: "an address of an unknown kind"
        }
    }

    private static func kind(ofIPv4 bytes: [UInt8]) -> String? {
        switch (bytes[0], bytes[1]) {
        // To 0.0.0.0 the kernel connects as to 127.0.0.1.
        case (0, _), (127, _): "a loopback address"
        // 169.254.169.254 and its neighbours tell machines of most clouds who they are.
        case (169, 254): "a link-local address"
        case (224..., _): "no address of one machine"
        default: bytes == [100, 100, 100, 200] || bytes == [192, 0, 0, 192] ? "a metadata address" : nil
        }
    }

    private static func kind(ofIPv6 bytes: [UInt8]) -> String? {
        let head = Array(bytes[..<12])
        let zeros = [UInt8](repeating: 0, count: 12)
        // ::, ::1, and IPv4 written so: mapped, compatible, by 6to4 and through the well-known prefix of NAT64.
        if head == zeros, bytes[12...14].allSatisfy({ $0 == 0 }), bytes[15] <= 1 { return "a loopback address" }
        let mapped = [UInt8](repeating: 0, count: 10) + [0xFF, 0xFF]
        let translated: [UInt8] = [0, 0x64, 0xFF, 0x9B] + [UInt8](repeating: 0, count: 8)
        if head == zeros || head == mapped || head == translated { return kind(ofIPv4: Array(bytes[12...])) }
        if bytes[0] == 0x20, bytes[1] == 0x02 { return kind(ofIPv4: Array(bytes[2..<6])) }
        if bytes[0] == 0xFE, bytes[1] & 0xC0 == 0x80 { return "a link-local address" }
        if bytes[0] == 0xFF { return "no address of one machine" }
        let metadata: [UInt8] = [0xFD, 0, 0x0E, 0xC2] + [UInt8](repeating: 0, count: 10) + [0x02, 0x54]
        return bytes == metadata ? "a metadata address" : nil
    }

    /// The bytes of a socket's address; empty for one that is of no known family.
    static func bytes(of address: UnsafePointer<sockaddr>, length: Int) -> [UInt8] {
        let raw = UnsafeRawPointer(address)
        switch Int32(address.pointee.sa_family) {
        case AF_INET where length >= MemoryLayout<sockaddr_in>.size:
            return withUnsafeBytes(of: raw.loadUnaligned(as: sockaddr_in.self).sin_addr) { Array($0) }
        case AF_INET6 where length >= MemoryLayout<sockaddr_in6>.size:
            return withUnsafeBytes(of: raw.loadUnaligned(as: sockaddr_in6.self).sin6_addr) { Array($0) }
        default: return []
        }
    }
}
