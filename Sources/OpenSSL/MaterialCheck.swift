internal import COpenSSL

/// Checks that certificates and a key can be used together: each can be read, and the key is that of the first
/// certificate. Where they come from files that are being rewritten, this tells the whole from the half.
public func checkTLSMaterial(
    authorityPEM: [UInt8]?, certificatePEM: [UInt8]?, privateKeyPEM: [UInt8]?
) throws(TLSError) {
    if let authorityPEM { _ = try Certificate.chain(pem: authorityPEM, "authority") }
    guard let certificatePEM, let privateKeyPEM else { return }
    let chain = try Certificate.chain(pem: certificatePEM, "client certificate")
    let key = try PrivateKey(pem: privateKeyPEM)
    try check("match the private key with the certificate") { X509_check_private_key(chain[0].raw, key.raw) }
}
