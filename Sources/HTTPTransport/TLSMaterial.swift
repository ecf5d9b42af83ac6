/// The certificates and the key that TLS connections are made with, in PEM.
public struct TLSMaterial: Sendable, Hashable, CustomStringConvertible, CustomReflectable {
    /// The only authorities trusted; nil means those of the system.
    public var certificateAuthorityPEM: [UInt8]?
    public var clientCertificatePEM: [UInt8]?
    public var clientKeyPEM: [UInt8]?

    public init(
        certificateAuthorityPEM: [UInt8]? = nil, clientCertificatePEM: [UInt8]? = nil, clientKeyPEM: [UInt8]? = nil
    ) {
        self.certificateAuthorityPEM = certificateAuthorityPEM
        self.clientCertificatePEM = clientCertificatePEM
        self.clientKeyPEM = clientKeyPEM
    }

    /// What is there, without the key's bytes.
    public var description: String {
        func size(_ bytes: [UInt8]?) -> String { bytes.map { "\($0.count) bytes" } ?? "none" }
        return "authority: \(size(certificateAuthorityPEM)), certificate: \(size(clientCertificatePEM)), "
            + "key: \(clientKeyPEM == nil ? "none" : "<secret>")"
    }
    public var customMirror: Mirror { Mirror(self, children: ["material": description]) }
}

/// Where a transport gets its certificates from while it runs, so that they can be renewed.
public protocol TLSMaterialSource: Sendable {
    /// What new connections are to use. It is asked before every request, so it must be cheap most of the time.
    func material() async throws(HTTPTransportError) -> TLSMaterialReading

    /// Called when a handshake failed, or the server answered 401, with what an earlier reading gave.
    ///
    /// Where the source has looked since that reading was given out, it need not look again: of a hundred requests
    /// refused together only the first makes it look.
    func material(insteadOf refused: TLSMaterialReading) async throws(HTTPTransportError) -> TLSMaterialReading
}

/// What a source gave out, and when by its own count.
public struct TLSMaterialReading: Sendable, Hashable {
    public var material: TLSMaterial
    /// How often the source had looked by then.
    public var look: UInt64

    public init(_ material: TLSMaterial, look: UInt64) {
        self.material = material
        self.look = look
    }
}
