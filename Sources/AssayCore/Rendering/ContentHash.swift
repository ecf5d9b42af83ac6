import JSON
import OpenSSL

/// The SHA-256 by which specs, runs and revisions are told apart.
public struct ContentHash: Sendable, Hashable, CustomStringConvertible {
    /// 64 lower-case hexadecimal digits.
    public let hex: String

    public init(of bytes: [UInt8]) { hex = sha256(bytes).hexadecimal }

    /// Hashes the canonical text, so that equal documents have equal hashes.
    public init(of json: JSONValue) { self.init(of: json.serializedBytes()) }

    /// Hashes a list of texts without ambiguity between its elements.
    public init(of parts: [String]) { self.init(of: JSONValue(parts)) }

    public var description: String { hex }

    /// The first `length` digits.
    public func prefix(_ length: Int) -> String { String(hex.prefix(length)) }
}
