internal import COpenSSL

/// What a certificate is to say.
public struct CertificateRequest: Sendable, Hashable {
    public enum Usage: Sendable, Hashable {
        case server, client
    }

    public var commonName: String
    /// A client's groups, in Kubernetes.
    public var organizations: [String]
    public var dnsNames: [String]
    /// IPv4 or IPv6 addresses in their usual notation.
    public var ipAddresses: [String]
    public var usage: Usage
    public var validFor: Duration

    public init(
        commonName: String, organizations: [String] = [], dnsNames: [String] = [], ipAddresses: [String] = [],
        usage: Usage, validFor: Duration = .seconds(365 * 86400)
    ) {
        self.commonName = commonName
        self.organizations = organizations
        self.dnsNames = dnsNames
        self.ipAddresses = ipAddresses
        self.usage = usage
        self.validFor = validFor
    }
}

/// An authority of its own that signs certificates over P-256 keys, by the profile of RFC 5280.
public struct CertificateAuthority: Sendable {
    private let certificate: Certificate
    private let key: PrivateKey
    /// What those need who are to trust the certificates issued.
    public let certificatePEM: String

    /// Makes a new authority.
    ///
    /// - Parameter now: The time since the Unix epoch. Certificates are valid from five minutes earlier, so that a
    ///   clock which is a little behind accepts them.
    public init(commonName: String, validFor: Duration = .seconds(3650 * 86400), now: Duration) throws(TLSError) {
        let key = try PrivateKey()
        let subject = CertificateSubject(commonName: commonName)
        let draft = try CertificateDraft(subject: subject, key: key, now: now, validFor: validFor)
        try draft.add(NID_basic_constraints, "critical,CA:TRUE,pathlen:0", issuer: draft)
        try draft.add(NID_key_usage, "critical,digitalSignature,keyCertSign,cRLSign", issuer: draft)
        try draft.add(NID_subject_key_identifier, "hash", issuer: draft)
        certificate = try draft.signed(issuer: draft.subjectName, key: key)
        certificatePEM = try certificate.pem()
        self.key = key
    }

    /// Takes up an authority that was stored.
    public init(certificatePEM: [UInt8], privateKeyPEM: [UInt8]) throws(TLSError) {
        let certificates = try Certificate.chain(pem: certificatePEM, "authority's certificate")
        let (first, key) = (certificates[0], try PrivateKey(pem: privateKeyPEM))
        try check("match the authority's key with its certificate") { X509_check_private_key(first.raw, key.raw) }
        certificate = first
        self.key = key
        self.certificatePEM = try first.pem()
    }

    /// The authority's secret, for who stores it.
    public func privateKeyPEM() throws(TLSError) -> String { try key.pem() }

    /// Issues a certificate for a new key.
    public func issue(
        _ request: CertificateRequest, now: Duration
    ) throws(TLSError) -> (certificatePEM: String, privateKeyPEM: String) {
        let key = try PrivateKey()
        let subject = CertificateSubject(commonName: request.commonName, organizations: request.organizations)
        let draft = try CertificateDraft(subject: subject, key: key, now: now, validFor: request.validFor)
        try draft.add(NID_basic_constraints, "critical,CA:FALSE", issuer: certificate)
        try draft.add(NID_key_usage, "critical,digitalSignature", issuer: certificate)
        try draft.add(
            NID_ext_key_usage, request.usage == .server ? "serverAuth" : "clientAuth", issuer: certificate)
        try draft.add(NID_subject_key_identifier, "hash", issuer: certificate)
        try draft.add(NID_authority_key_identifier, "keyid:always", issuer: certificate)
        let names = try Self.alternativeNames(request)
        if !names.isEmpty { try draft.add(NID_subject_alt_name, names, issuer: certificate) }
        let signed = try draft.signed(issuer: X509_get_subject_name(certificate.raw), key: self.key)
        return (try signed.pem(), try key.pem())
    }

    /// The names in OpenSSL's notation, in which a comma would begin another name: so each is checked first.
    private static func alternativeNames(_ request: CertificateRequest) throws(TLSError) -> String {
        func isDNS(_ byte: UInt8) -> Bool {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "*"):
                true
            default: false
            }
        }
        for name in request.dnsNames where name.isEmpty || !name.utf8.allSatisfy(isDNS) {
            throw TLSError("issue a certificate for \(request.commonName)", ["`\(name)` is not a DNS name"])
        }
        for address in request.ipAddresses {
            guard let parsed = a2i_IPADDRESS(address) else {
                throw TLSError("issue a certificate for \(request.commonName)", ["`\(address)` is not an IP address"])
            }
            ASN1_OCTET_STRING_free(parsed)
        }
        return (request.dnsNames.map { "DNS:\($0)" } + request.ipAddresses.map { "IP:\($0)" }).joined(separator: ",")
    }
}
