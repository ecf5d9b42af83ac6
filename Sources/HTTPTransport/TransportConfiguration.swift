/// What a transport needs to reach one server.
public struct TransportConfiguration: Sendable, CustomStringConvertible, CustomReflectable {
    /// `https://host:port`, with an optional path before every target; `http://` sends everything in the clear.
    public var server: String
    /// The only authorities trusted, in PEM; nil means those of the system.
    public var certificateAuthorityPEM: [UInt8]?
    public var clientCertificatePEM: [UInt8]?
    public var clientKeyPEM: [UInt8]?
    /// What takes the place of the three above while the transport runs; nil where they never change.
    public var renewal: (any TLSMaterialSource)?
    /// Accepts any certificate. For tests and for kubeconfigs that say so.
    public var insecureSkipTLSVerify: Bool
    /// The name asked for and verified in the TLS handshake, where it is not the host of `server`.
    public var tlsServerName: String?
    /// The only proxy used; those of the environment are not. `http`, `https`, `socks5` (which resolves the server's
    /// name) with a user and password where it wants them. One by https is verified as the server is.
    public var proxyURL: String?
    /// How long resolving, connecting and the TLS handshake may take together.
    public var connectTimeout: Duration
    /// Connects to no loopback, link-local or metadata address, whatever name leads there: for servers that somebody else
    /// has named.
    public var refusesNodeAddresses: Bool
    /// Signs each request; nil sends them as they are.
    public var signing: RequestSigning?

    public init(
        server: String,
        certificateAuthorityPEM: [UInt8]? = nil,
        clientCertificatePEM: [UInt8]? = nil,
        clientKeyPEM: [UInt8]? = nil,
        insecureSkipTLSVerify: Bool = false,
        tlsServerName: String? = nil,
        proxyURL: String? = nil,
        connectTimeout: Duration = .seconds(10),
        refusesNodeAddresses: Bool = false,
        signing: RequestSigning? = nil
    ) {
        self.server = server
        self.certificateAuthorityPEM = certificateAuthorityPEM
        self.clientCertificatePEM = clientCertificatePEM
        self.clientKeyPEM = clientKeyPEM
        self.insecureSkipTLSVerify = insecureSkipTLSVerify
        self.tlsServerName = tlsServerName
        self.proxyURL = proxyURL
        self.connectTimeout = connectTimeout
        self.refusesNodeAddresses = refusesNodeAddresses
        self.signing = signing
    }

    public var material: TLSMaterial {
        get {
            TLSMaterial(
                certificateAuthorityPEM: certificateAuthorityPEM, clientCertificatePEM: clientCertificatePEM,
                clientKeyPEM: clientKeyPEM)
        }
        set {
            certificateAuthorityPEM = newValue.certificateAuthorityPEM
            clientCertificatePEM = newValue.clientCertificatePEM
            clientKeyPEM = newValue.clientKeyPEM
        }
    }

    /// The server only: keys and a proxy's password belong in no log.
    public var description: String { server }
    public var customMirror: Mirror { Mirror(self, children: ["server": server]) }
}
