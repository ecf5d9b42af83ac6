/// A repository of an OCI registry: `registry.local:5000/team/wine`.
public struct RegistryRepository: Sendable, Hashable, CustomStringConvertible {
    /// `registry.local:5000`
    public var host: String
    /// `team/wine`
    public var name: String

    /// - Throws: ``ArtifactError`` with what is wrong.
    public init(host: String, name: String) throws(ArtifactError) {
        guard !host.isEmpty, host.utf8.allSatisfy(Self.isOfHost) else {
            throw .malformed("\(host) is no host of a registry; registry.local:5000 is one")
        }
        // The longest that registries take, their own name included.
        guard name.utf8.count <= 255,
            name.split(separator: "/", omittingEmptySubsequences: false).allSatisfy(Self.isName)
        else {
            throw .malformed(
                "\(name) is no repository: it has parts of lower-case letters and digits with single dots, "
                    + "underscores or dashes between them, and slashes between the parts")
        }
        self.host = host
        self.name = name
    }

    public var description: String { "\(host)/\(name)" }

    private static func isOfHost(_ byte: UInt8) -> Bool {
        isLetterOrDigit(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) || ".-:[]".utf8.contains(byte)
    }

    private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    /// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*` of OCI's distribution specification.
    private static func isName(_ part: Substring) -> Bool {
        let runs = part.utf8.split(omittingEmptySubsequences: false, whereSeparator: { !isLetterOrDigit($0) })
        guard let first = runs.first, let last = runs.last, !first.isEmpty, !last.isEmpty else { return false }
        var rest = part.utf8[...]
        while !rest.isEmpty {
            rest = rest.drop(while: isLetterOrDigit)
            let separator = rest.prefix { !isLetterOrDigit($0) }
            rest = rest.dropFirst(separator.count)
            let isDashes = separator.allSatisfy { $0 == UInt8(ascii: "-") }
            guard
                isDashes || separator.elementsEqual(".".utf8) || separator.elementsEqual("_".utf8)
                    || separator.elementsEqual("__".utf8)
            else { return false }
        }
        return true
    }
}
