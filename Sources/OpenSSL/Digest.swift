/// The name of a content, by its SHA-256: `sha256:` and 64 lower-case hexadecimal digits, as OCI's image specification
/// writes it (image-spec, "Descriptors").
public struct Digest: Sendable, Hashable, CustomStringConvertible {
    /// The digits.
    public let hex: String

    /// Reads `sha256:…`; nil for anything else.
    public init?(_ text: String) {
        let prefix = "sha256:"
        guard text.hasPrefix(prefix) else { return nil }
        let hex = text.dropFirst(prefix.count)
        let isHex = hex.utf8.allSatisfy {
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
        }
        guard hex.utf8.count == 64, isHex else { return nil }
        self.hex = String(hex)
    }

    /// The digest of a content that is all here.
    public init(of bytes: [UInt8]) { hex = sha256(bytes).hexadecimal }

    /// The digest of a content that came in pieces.
    public init(_ hash: consuming SHA256) { hex = hash.finalize().hexadecimal }

    public var description: String { "sha256:\(hex)" }
}
