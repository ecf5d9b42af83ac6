/// A bucket, and where in it the objects of a store are: `models/team/wine`.
public struct BucketLocation: Sendable, Hashable, CustomStringConvertible {
    public let bucket: String
    /// Without slashes at its ends; empty where the store has the bucket to itself.
    public let prefix: String

    /// Of a key's 1024 bytes, what `/tags/` and the longest tag leave.
    private static let longestPrefix = 1024 - 6 - 128

    /// - Throws: ``ArtifactError`` with what is wrong.
    public init(bucket: String, prefix: String) throws(ArtifactError) {
        guard Self.isBucket(bucket) else {
            throw .malformed(
                "\(bucket) is no bucket: its name has 3 to 63 lower-case letters, digits, dots and dashes, begins and "
                    + "ends with a letter or digit, has no two dots together, and is no IP address")
        }
        let slash = UInt8(ascii: "/")
        var rest = prefix.utf8[...]
        while rest.last == slash { rest.removeLast() }
        let prefix = Substring(rest)
        let parts = rest.split(separator: slash, omittingEmptySubsequences: false).map { Substring($0) }
        // What servers and proxies on the way would take for another key.
        let isClean = parts.allSatisfy { part in
            !part.isEmpty && part != "." && part != ".."
                && part.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F }
        }
        guard isClean || prefix.isEmpty, prefix.utf8.count <= Self.longestPrefix else {
            throw .malformed(
                "\(prefix) is no place in a bucket: it has at most \(Self.longestPrefix) bytes, and between its "
                    + "slashes names that are neither empty nor . or ..")
        }
        self.bucket = bucket
        self.prefix = String(prefix)
    }

    public var description: String { prefix.isEmpty ? bucket : "\(bucket)/\(prefix)" }

    /// The key of an object of the store.
    func key(_ name: String) -> String { prefix.isEmpty ? name : "\(prefix)/\(name)" }

    /// "General purpose bucket naming rules" of Amazon's S3, which other stores have taken over.
    private static func isBucket(_ name: String) -> Bool {
        func isLetterOrDigit(_ byte: UInt8) -> Bool {
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        }
        guard (3...63).contains(name.utf8.count), let first = name.utf8.first, let last = name.utf8.last,
            isLetterOrDigit(first), isLetterOrDigit(last),
            name.utf8.allSatisfy({ isLetterOrDigit($0) || ".-".utf8.contains($0) }), !name.contains("..")
        else { return false }
        let labels = name.split(separator: ".")
        return labels.count != 4 || !labels.allSatisfy { UInt8($0) != nil }
    }
}
