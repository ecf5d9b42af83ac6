import Files
import Glibc
import KubernetesModel
import Logging

/// Why a network could not be made.
struct NetworkError: Error, Sendable, Hashable, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}

/// The network of a node's pods: a bridge with a subnet of its own, a network namespace and an address for each pod.
///
/// Everything is made with `ip` and named after the bridge, `assay<N>`, whose creation is also how nodes of one machine
/// agree on who has which subnet. What a dead node left behind is removed by the next. Without the right to make
/// networks, pods share the host's.
public actor NodeNetwork {
    /// A pod's place in the network.
    struct Attachment: Sendable, Hashable {
        var address: String
        /// Nil in the host's network.
        var namespacePath: String?
        fileprivate var index: Int
    }

    /// Whether pods share the host's network.
    public nonisolated let isHost: Bool
    /// A range for `--service-cluster-ip-range` that no other node's cluster on this machine uses.
    public nonisolated let serviceAddresses: String
    /// Where pods reach the node.
    public nonisolated let hostAddress: String
    /// Why pods share the host's network, where that was not asked for.
    public nonisolated let reason: String?
    nonisolated let bridge: String
    private nonisolated let number: Int
    private nonisolated let options: NodeNetworkOptions
    private let logger: Logger
    private var used: Set<Int> = []
    private var last = 1
    private var addresses: Set<String> = []

    private init(_ options: NodeNetworkOptions, number: Int, isHost: Bool, reason: String?, logger: Logger) {
        self.options = options
        self.number = number
        self.isHost = isHost
        self.reason = reason
        self.logger = logger
        bridge = "assay\(number)"
        hostAddress = isHost ? "127.0.0.1" : "\(options.podPrefix).\(number).1"
        serviceAddresses = "\(isHost ? "127" : "10").96.\(number).0/24"
    }

    /// Makes the bridge, or decides for the host's network.
    ///
    /// - Throws: where a bridge was asked for and cannot be made.
    public static func open(_ options: NodeNetworkOptions, logger: Logger) async throws -> NodeNetwork {
        func host(_ reason: String?) -> NodeNetwork {
            NodeNetwork(options, number: 1 + Int(getpid()) % 254, isHost: true, reason: reason, logger: logger)
        }
        if options.mode == .host { return host(nil) }
        do {
            guard geteuid() == 0 else { throw NetworkError("only root may make network namespaces") }
            await removeLeftovers(logger)
            let number = try await makeBridge(options)
            let network = NodeNetwork(options, number: number, isHost: false, reason: nil, logger: logger)
            do {
                try await network.tryNamespace()
            } catch {
                await network.close()
                throw error
            }
            return network
        } catch {
            if options.mode == .bridge { throw error }
            logger.notice("pods share the host's network", metadata: ["reason": "\(error)"])
            return host("\(error)")
        }
    }

    private static func makeBridge(_ options: NodeNetworkOptions) async throws -> Int {
        let taken = try await IPCommand.run(["-4", "-o", "addr", "show"])
        let routes = try await IPCommand.run(["-4", "route", "show", "table", "all"])
        for number in 1...254 {
            let subnet = "\(options.podPrefix).\(number)."
            if taken.contains(" \(subnet)") || routes.contains(subnet) { continue }
            if try await claimBridge(number) {
                try await furnishBridge(number, subnet: subnet)
                return number
            }
        }
        throw NetworkError("all subnets \(options.podPrefix).1.0/24 to \(options.podPrefix).254.0/24 are in use")
    }

    /// Makes the bridge of that number; false where it is someone else's, or was theirs a moment ago.
    private static func claimBridge(_ number: Int) async throws -> Bool {
        do {
            // With an address of its own: else it has the lowest of its ports', another one whenever that one comes or goes,
            // and pods that know the old one reach nobody for half a minute.
            let address = "02:61:73:73:61:" + (number < 16 ? "0" : "") + String(number, radix: 16)
            _ = try await IPCommand.run(["link", "add", "assay\(number)", "address", address, "type", "bridge"])
            return true
        } catch {
            if "\(error)".contains("File exists") { return false }
            throw error
        }
    }

    private static func furnishBridge(_ number: Int, subnet: String) async throws {
        _ = try await IPCommand.batch([
            "link set assay\(number) alias \(Owner.this.alias)",
            "addr add \(subnet)1/24 dev assay\(number)",
            "link set assay\(number) up",
            // A service's address that nobody answers on yet must not be looked for beyond this machine.
            "route add 10.96.\(number).0/24 dev assay\(number)",
        ])
    }

    /// Whether namespaces can be made too; a sandbox may allow bridges alone.
    private func tryNamespace() async throws(NetworkError) {
        let name = "\(bridge)-try"
        _ = try await IPCommand.batch(["netns add \(name)"])
        _ = try await IPCommand.batch(["netns del \(name)"])
    }

    func attach() async throws -> Attachment {
        if isHost { return Attachment(address: "127.0.0.1", namespacePath: nil, index: 0) }
        // The next one, not the lowest: who still connects to a pod that is gone must not meet its successor.
        let following = (1...253).map { 2 + (last - 2 + $0) % 253 }
        guard let index = following.first(where: { !used.contains($0) }) else {
            throw NetworkError("all addresses of the node's subnet are in use")
        }
        used.insert(index)
        last = index
        let (name, address) = ("\(bridge)-\(index)", "\(options.podPrefix).\(number).\(index)")
        do {
            _ = try await IPCommand.batch([
                "netns add \(name)",
                "link add as\(number)p\(index) type veth peer name eth0 netns \(name)",
                "link set as\(number)p\(index) master \(bridge) up",
            ])
            _ = try await IPCommand.batch(
                [
                    "link set lo up", "addr add \(address)/24 dev eth0", "link set eth0 up",
                    "route add default via \(hostAddress)",
                ], in: name)
        } catch {
            await remove(index)
            throw error
        }
        return Attachment(address: address, namespacePath: "/run/netns/\(name)", index: index)
    }

    func detach(_ attachment: Attachment) async {
        if !isHost { await remove(attachment.index) }
    }

    private func remove(_ index: Int) async {
        do throws(NetworkError) {
            try await Self.removeLink("as\(number)p\(index)")
            _ = try await IPCommand.run(["netns", "del", "\(bridge)-\(index)"])
        } catch {
            logger.warning("cannot remove a pod's network namespace", metadata: ["error": "\(error)"])
        }
        used.remove(index)
    }

    /// Removes a pair of interfaces. It would go with its namespace, but that lives on for as long as any process has it
    /// open or has its mount, as every container has that was started while it was there.
    private static func removeLink(_ name: String) async throws(NetworkError) {
        do {
            _ = try await IPCommand.run(["link", "del", name])
        } catch {
            guard error.description.contains("Cannot find device") else { throw error }
        }
    }

    /// Makes the node answer on exactly these addresses of services.
    func setServiceAddresses(_ wanted: Set<String>) async {
        if isHost { return }
        // What fails is tried again at the next change.
        for address in wanted.subtracting(addresses).sorted()
        where await changed("addr add \(address)/32 dev \(bridge)") {
            addresses.insert(address)
        }
        for address in addresses.subtracting(wanted).sorted()
        where await changed("addr del \(address)/32 dev \(bridge)") {
            addresses.remove(address)
        }
    }

    private func changed(_ command: String) async -> Bool {
        do throws(NetworkError) {
            _ = try await IPCommand.batch([command])
            return true
        } catch {
            logger.warning("cannot change a service's address", metadata: ["error": "\(error)"])
            return false
        }
    }

    /// What pods of a namespace read at `/etc/resolv.conf`; nil for the host's own.
    nonisolated func resolverFile(namespace: String) -> String? {
        if isHost { return nil }
        let domain = options.clusterDomain
        return "nameserver \(hostAddress)\nsearch \(namespace).svc.\(domain) svc.\(domain) \(domain)\noptions ndots:5\n"
    }

    /// Removes the bridge and every namespace.
    public func close() async {
        if !isHost { await Self.remove(bridge, logger) }
    }

    private static func removeLeftovers(_ logger: Logger) async {
        do {
            for line in try await IPCommand.run(["-o", "link", "show", "type", "bridge"]).split(separator: "\n") {
                let fields = line.split(separator: " ")
                guard fields.count > 1, fields[1].hasPrefix("assay"),
                    let alias = fields.first(where: { $0.contains(Owner.mark) }), let owner = Owner(in: String(alias)),
                    !owner.isAlive
                else { continue }
                await remove(String(fields[1].prefix { $0 != ":" && $0 != "@" }), logger)
            }
        } catch {
            logger.debug("cannot look for networks left behind", metadata: ["error": "\(error)"])
        }
    }

    private static func remove(_ bridge: String, _ logger: Logger) async {
        do {
            for line in try await IPCommand.run(["-o", "link", "show", "master", bridge]).split(separator: "\n") {
                let fields = line.split(separator: " ")
                if fields.count > 1 { try await removeLink(String(fields[1].prefix { $0 != ":" && $0 != "@" })) }
            }
            for line in try await IPCommand.run(["netns", "list"]).split(separator: "\n") {
                let name = line.prefix { $0 != " " }
                if name.hasPrefix("\(bridge)-") { _ = try await IPCommand.run(["netns", "del", String(name)]) }
            }
            _ = try await IPCommand.run(["link", "del", bridge])
        } catch {
            logger.warning("cannot remove the network \(bridge)", metadata: ["error": "\(error)"])
        }
    }
}

/// Which process a bridge belongs to, as its alias says.
private struct Owner: Hashable {
    static let mark = "assay-node:"
    var pid: pid_t
    /// In the kernel's ticks since it started: a number that a later process of the same pid does not have.
    var startTime: String

    static var this: Owner { Owner(pid: getpid(), startTime: startTime(of: getpid()) ?? "") }

    init(pid: pid_t, startTime: String) {
        self.pid = pid
        self.startTime = startTime
    }

    /// Reads an alias from the listing of links, where a backslash stands for each line's end.
    init?(in listing: String) {
        guard let alias = listing.split(separator: "\\").first(where: { $0.hasPrefix(Self.mark) }) else { return nil }
        let fields = alias.dropFirst(Self.mark.count).split(separator: ":")
        guard fields.count == 2, let pid = pid_t(fields[0]) else { return nil }
        self.init(pid: pid, startTime: String(fields[1]))
    }

    var alias: String { "\(Self.mark)\(pid):\(startTime)" }
    var isAlive: Bool { Self.startTime(of: pid) == startTime }

    private static func startTime(of pid: pid_t) -> String? {
        // The name in parentheses may hold anything; 20 fields after it comes the start time.
        guard let text = FileSystem.text("/proc/\(pid)/stat"), let close = text.lastIndex(of: ")") else { return nil }
        let fields = text[close...].split(separator: " ")
        return fields.count > 20 ? String(fields[20]) : nil
    }
}
