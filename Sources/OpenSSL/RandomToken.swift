internal import COpenSSL

/// A word that nobody can guess.
public enum RandomToken {
    /// 256 random bits, in hexadecimal digits.
    public static func make() throws(TLSError) -> String {
        var bytes = [UInt8](repeating: 0, count: 32)
        try check("make a random token") { RAND_bytes(&bytes, Int32(bytes.count)) }
        return bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }
}
