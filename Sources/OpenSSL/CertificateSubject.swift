internal import COpenSSL

/// Whom a certificate names. Kubernetes takes the common name for the user and the organizations for its groups.
public struct CertificateSubject: Sendable, Hashable {
    public var commonName: String
    public var organizations: [String]

    public init(commonName: String, organizations: [String] = []) {
        self.commonName = commonName
        self.organizations = organizations
    }
}

extension CertificateSubject {
    init(_ name: OpaquePointer?) {
        commonName = Self.values(name, NID_commonName).first ?? ""
        organizations = Self.values(name, NID_organizationName)
    }

    private static func values(_ name: OpaquePointer?, _ kind: Int32) -> [String] {
        var result: [String] = []
        var index = X509_NAME_get_index_by_NID(name, kind, -1)
        while index >= 0 {
            let value = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, index))
            var bytes: UnsafeMutablePointer<UInt8>?
            let count = ASN1_STRING_to_UTF8(&bytes, value)
            if count >= 0, let bytes {
                // By its length and not as a C string: a name may hold a zero byte to pass for another one.
                result.append(String(decoding: UnsafeBufferPointer(start: bytes, count: Int(count)), as: UTF8.self))
                cssl_free(bytes)
            }
            index = X509_NAME_get_index_by_NID(name, kind, index)
        }
        return result
    }
}
