import JSON
import KubernetesModel

/// What a token says of itself (RFC 7519 §4.1). Nobody has looked at its signature: it may be believed where it speaks against
/// itself, and of a token that was reviewed.
public struct TokenClaims: Sendable, Hashable {
    /// For whom it is.
    public var audiences: [String]
    /// When it ends, since the Unix epoch; nil where it does not say.
    public var expiry: Duration?
    /// Whose it is.
    public var subject: String?

    /// Nil where it is no signed JSON Web Token (RFC 7515 §7.1).
    public init?(of token: String) {
        let parts = token.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3, parts.allSatisfy({ !$0.isEmpty }),
            let header = Self.decode(parts[0]), let payload = Self.decode(parts[1]), Self.decode(parts[2]) != nil
        else { return nil }
        do throws(JSONError) {
            let claims = try JSONValue(parsing: payload)
            guard try JSONValue(parsing: header).object != nil, claims.object != nil else { return nil }
            audiences = claims["aud"]?.string.map { [$0] } ?? (claims["aud"]?.array ?? []).compactMap(\.string)
            expiry = claims["exp"]?.integer.map { .seconds($0) }
            subject = claims["sub"]?.string
        } catch {
            return nil
        }
    }

    /// Base64 for URLs, without padding.
    private static func decode(_ text: Substring.UTF8View.SubSequence) -> [UInt8]? {
        var bytes = Array(text)
        for index in bytes.indices {
            switch bytes[index] {
            case UInt8(ascii: "-"): bytes[index] = UInt8(ascii: "+")
            case UInt8(ascii: "_"): bytes[index] = UInt8(ascii: "/")
            case UInt8(ascii: "+"), UInt8(ascii: "/"), UInt8(ascii: "="), 10, 13: return nil
            default: break
            }
        }
        bytes += Array(repeating: UInt8(ascii: "="), count: (4 - bytes.count % 4) % 4)
        return Base64.decode(String(decoding: bytes, as: UTF8.self))
    }
}
