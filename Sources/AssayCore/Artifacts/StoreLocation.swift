/// What the address of an artifact store names.
enum StoreLocation: Sendable, Hashable {
    /// A directory of a PersistentVolumeClaim of the same namespace; the path is empty for the claim's own.
    case claim(String, path: String)
    /// `HOST/REPOSITORY`
    case registry(String)
    /// `BUCKET/PREFIX`
    case bucket(String)

    struct Problem: Error, Hashable { var message: String }

    init(_ uri: String) throws(Problem) {
        guard let mark = uri.firstRange(of: "://") else { throw Self.unknown(uri) }
        let rest = String(uri[mark.upperBound...])
        switch uri[..<mark.lowerBound] {
        case "pvc": self = try Self.claim(in: rest)
        case "oci": self = .registry(try Self.repository(rest))
        case "s3": self = .bucket(try Self.bucket(rest))
        case "file":
            throw Problem(message: "a directory of a node is no store for pods; use pvc://CLAIM/PATH")
        default: throw Self.unknown(uri)
        }
    }

    private static func unknown(_ uri: String) -> Problem {
        Problem(
            message: "\"\(uri)\" is no store that is known here; pvc://CLAIM/PATH, oci://HOST/REPOSITORY and "
                + "s3://BUCKET/PREFIX are")
    }

    private static func claim(in text: String) throws(Problem) -> StoreLocation {
        var parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        let name = parts.removeFirst()
        guard Bounds.isSubdomain(name)
        else { throw Problem(message: "\"\(name)\" is no name of a PersistentVolumeClaim, as in pvc://models/wine") }
        if parts.last == "" { parts.removeLast() }
        // The path becomes a part of the arguments and of a mount's path.
        guard parts.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." && $0.utf8.allSatisfy(isPathByte) }) else {
            throw Problem(message: "the path must be of A-Z a-z 0-9 _ . - and /, without . or .. as a part of it")
        }
        return .claim(name, path: parts.joined(separator: "/"))
    }

    private static func repository(_ text: String) throws(Problem) -> String {
        guard let slash = text.firstIndex(of: "/"), slash != text.startIndex, text.last != "/" else {
            throw Problem(message: "names no repository, as in oci://registry.local/team/wine")
        }
        guard !text[slash...].contains(where: { $0 == ":" || $0 == "@" }) else {
            throw Problem(message: "must name a repository, without a tag or a digest")
        }
        return text
    }

    private static func bucket(_ text: String) throws(Problem) -> String {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard let name = parts.first, (3...63).contains(name.utf8.count),
            Bounds.isSubdomain(String(name))
        else { throw Problem(message: "\"\(parts.first ?? "")\" is no name of a bucket, as in s3://models/wine") }
        guard parts.dropFirst().allSatisfy({ $0 != "." && $0 != ".." && $0.utf8.allSatisfy(isPathByte) }) else {
            throw Problem(message: "the prefix must be of A-Z a-z 0-9 _ . - and /, without . or .. as a part of it")
        }
        return text
    }

    private static func isPathByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "_.-".utf8.contains(byte)
        }
    }
}
