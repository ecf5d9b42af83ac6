import AssayCore
import KubernetesModel

extension RevisionRoute {
    /// The label by which the pods of a revision are found.
    static let label = Label.revision
}

/// Every model's route, and who has which port and name. Fed with what the watches tell.
public struct RoutingTable: Sendable {
    private struct Claim: Sendable, Hashable, Comparable {
        var seconds: String
        var model: ObjectKey

        /// The older model wins, so that nobody takes a port or a name from another.
        static func < (left: Claim, right: Claim) -> Bool {
            (left.seconds, left.model.description) < (right.seconds, right.model.description)
        }
    }

    private var records: [ObjectKey: ModelRecord] = [:]
    private var pods: [ObjectKey: [ObjectKey: PodRecord]] = [:]
    private var ports: [Int: Set<Claim>] = [:]
    private var hosts: [String: Set<Claim>] = [:]
    /// The route of each model.
    public private(set) var routes: [ObjectKey: ModelRoute] = [:]

    private let instance: String?

    /// Without a model.
    ///
    /// - Parameter instance: the name of the gateway's pod that this is; nil for one that is alone.
    public init(instance: String? = nil) { self.instance = instance }

    /// Which model a port of the gateway belongs to.
    public func model(port: Int) -> ObjectKey? { ports[port]?.min()?.model }

    /// Which model a name belongs to at the shared port.
    ///
    /// - Parameter host: as in a Host field, with a port or without.
    public func model(host: String) -> ObjectKey? { hosts[Self.name(host)]?.min()?.model }

    /// Who has each port.
    public var portOwners: [Int: ObjectKey] { ports.compactMapValues { $0.min()?.model } }

    /// Who has each name.
    public var hostOwners: [String: ObjectKey] { hosts.compactMapValues { $0.min()?.model } }

    /// Takes a model as it now is.
    ///
    /// - Returns: the model, if its route is another now.
    @discardableResult
    public mutating func apply(_ record: ModelRecord) -> ObjectKey? {
        let key = record.metadata.key
        release(key)
        records[key] = record
        if let port = record.gatewayPort { ports[port, default: []].insert(Self.claim(record)) }
        for host in record.hosts { hosts[Self.name(host), default: []].insert(Self.claim(record)) }
        return renew(key)
    }

    /// A model is gone. Its pods may still be there.
    @discardableResult
    public mutating func remove(model key: ObjectKey) -> ObjectKey? {
        release(key)
        records[key] = nil
        return routes.removeValue(forKey: key) == nil ? nil : key
    }

    /// Takes a pod as it now is.
    @discardableResult
    public mutating func apply(_ pod: PodRecord) -> ObjectKey? {
        guard let model = pod.model else { return nil }
        pods[model, default: [:]][pod.metadata.key] = pod
        return renew(model)
    }

    /// A pod is gone.
    @discardableResult
    public mutating func remove(_ pod: PodRecord) -> ObjectKey? {
        guard let model = pod.model else { return nil }
        pods[model]?[pod.metadata.key] = nil
        if pods[model]?.isEmpty == true { pods[model] = nil }
        return renew(model)
    }

    /// How far a pod is on its way to serving at its revision's port.
    func progress(of pod: PodRecord) -> PodProgress {
        guard let record = pod.model.flatMap({ records[$0] }) else { return .none }
        return pod.progress(port: pod.revision.flatMap { record.revisions[$0]?.port } ?? record.port)
    }

    private mutating func renew(_ key: ObjectKey) -> ObjectKey? {
        guard let record = records[key] else { return nil }
        let route = ModelRoute(record, pods: (pods[key] ?? [:]).values, instance: instance)
        guard routes[key] != route else { return nil }
        routes[key] = route
        return key
    }

    private mutating func release(_ key: ObjectKey) {
        guard let old = records[key] else { return }
        if let port = old.gatewayPort {
            ports[port]?.remove(Self.claim(old))
            if ports[port]?.isEmpty == true { ports[port] = nil }
        }
        for host in old.hosts {
            hosts[Self.name(host)]?.remove(Self.claim(old))
            if hosts[Self.name(host)]?.isEmpty == true { hosts[Self.name(host)] = nil }
        }
    }

    private static func claim(_ record: ModelRecord) -> Claim {
        Claim(seconds: record.metadata.creationTimestamp?.description ?? "", model: record.metadata.key)
    }

    /// A name without its port, in lower case.
    static func name(_ host: String) -> String {
        let host = host.lowercased()
        if host.hasPrefix("[") { return host.firstIndex(of: "]").map { String(host[...$0]) } ?? host }
        var name = host[..<(host.firstIndex(of: ":") ?? host.endIndex)]
        if name.last == "." { name.removeLast() }
        return String(name)
    }
}
