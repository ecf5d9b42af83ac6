import JSON
import KubernetesModel

/// An authority or a certificate, and when it holds.
public struct PushCertificate: Sendable, Hashable {
    public var certificate: String
    /// Nil where it is not ours any more.
    public var key: String?
    public var notBefore: Timestamp
    public var notAfter: Timestamp

    public init(certificate: String, key: String?, notBefore: Timestamp, notAfter: Timestamp) {
        self.certificate = certificate
        self.key = key
        self.notBefore = notBefore
        self.notAfter = notAfter
    }

    /// Renewed at two thirds of its life.
    func isDue(_ now: Timestamp) -> Bool { now >= dueAt }

    var dueAt: Timestamp { notBefore + (notAfter - notBefore) * 2 / 3 }

    func isOver(_ now: Timestamp) -> Bool { now >= notAfter }
}

/// What serves pushes by TLS, as the Secret keeps it.
///
/// An authority signs for two years. The one after it is published in the bundle before it signs anything, and the one
/// before it stays there until all that it has signed is replaced. So whoever reads the bundle late still trusts who serves.
public struct PushCertificates: Sendable, Hashable {
    public static let authorityLife: Duration = .seconds(730 * 86_400)
    public static let servingLife: Duration = .seconds(30 * 86_400)
    /// How long an authority is published before it signs: far longer than a pod takes to see a ConfigMap.
    public static let publishing: Duration = .seconds(86_400)

    public var authority: PushCertificate?
    public var next: PushCertificate?
    /// When `next` was published.
    public var nextSince: Timestamp?
    public var previous: PushCertificate?
    public var serving: PushCertificate?
    /// The names that the serving certificate is for.
    public var names: [String] = []
    /// By which who asks is known; nil where anybody may.
    public var token: String?

    public init() {}

    /// What clients are to trust.
    public var bundle: String {
        [authority, next, previous].compactMap { $0?.certificate }.map { $0.hasSuffix("\n") ? $0 : $0 + "\n" }
            .joined()
    }

    public enum Step: Sendable, Hashable {
        /// There is none that can be used: a new one signs at once, for nothing else is trusted.
        case makeAuthority
        case publishNext
        /// The next authority signs from now on.
        case promoteNext
        case issueServing
        case dropPrevious
    }

    /// What is to be done, in order; empty where all is well.
    public func plan(names: [String], now: Timestamp) -> [Step] {
        guard let authority, authority.key != nil, !authority.isOver(now) else {
            return [.makeAuthority, .issueServing]
        }
        if let next, let nextSince, next.key != nil, !next.isOver(now) {
            if now >= nextSince + Self.publishing { return [.promoteNext, .issueServing] }
        } else if authority.isDue(now) {
            return servingSteps(names, now) + [.publishNext]
        }
        return servingSteps(names, now)
    }

    private func servingSteps(_ names: [String], _ now: Timestamp) -> [Step] {
        let isGood = serving.map { $0.key != nil && !$0.isDue(now) } ?? false
        guard isGood, self.names == names else {
            // What the previous authority has signed is gone since the last renewal, from all who serve.
            return previous == nil || serving == nil ? [.issueServing] : [.issueServing, .dropPrevious]
        }
        return previous?.isOver(now) == true ? [.dropPrevious] : []
    }

    /// How long a new certificate holds: never longer than who signs it.
    public static func servingLife(of authority: PushCertificate, now: Timestamp) -> Duration {
        min(servingLife, authority.notAfter - now)
    }
}
