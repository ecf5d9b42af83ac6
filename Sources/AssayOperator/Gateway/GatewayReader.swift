import AssayCore

/// Asks a pod of the gateway for its load.
public protocol GatewayReader: Sendable {
    /// - Parameter address: of the pod.
    func load(of address: String, by access: GatewayAccess) async throws -> GatewayLoad
}

/// How the gateway's pods know who asks, and who asks knows them.
public struct GatewayAccess: Sendable, Hashable, CustomStringConvertible {
    /// The name that their certificate is for, whatever their addresses.
    public static let serverName = "assay-gateway"
    /// Where they answer by HTTPS.
    public static let port = 8444
    public static let path = "/load"

    /// In PEM.
    public var authorities: String
    /// What is said in the Authorization header, after `Bearer`.
    public var token: String

    public init(authorities: String, token: String) {
        self.authorities = authorities
        self.token = token
    }

    public var description: String { "the access to \(Self.serverName)" }
}
