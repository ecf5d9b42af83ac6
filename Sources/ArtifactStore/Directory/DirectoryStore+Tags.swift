import Files
import Glibc
import OpenSSL

extension DirectoryStore {
    /// Gives an artifact a name, in place of the one that had it.
    public func tag(_ digest: Digest, as name: String) throws(ArtifactError) {
        try Self.check(name)
        let upload = try Upload(in: root)
        try upload.write(Array("\(digest)\n".utf8))
        try upload.keep(as: "\(root)/tags/\(name)")
    }

    /// The artifact of that name.
    public func resolve(_ name: String) throws(ArtifactError) -> Digest {
        try Self.check(name)
        let path = "\(root)/tags/\(name)"
        guard FileSystem.kind(path) == .file else { throw .unknownTag(name) }
        let text: String
        do { text = String(decoding: try FileSystem.contents(path), as: UTF8.self) } catch { throw .file(error) }
        guard text.hasSuffix("\n"), let digest = Digest(String(text.dropLast())) else {
            throw .malformed("\(path) has no digest in it")
        }
        return digest
    }

    /// All names, sorted.
    public func tags() throws(ArtifactError) -> [String] {
        guard FileSystem.kind("\(root)/tags") == .directory else { return [] }
        do { return try FileSystem.entries("\(root)/tags") } catch { throw .file(error) }
    }

    /// The rule for tags of OCI's distribution specification, which keeps a name within the directory too.
    private static func check(_ name: String) throws(ArtifactError) {
        let isValid = name.utf8.enumerated().allSatisfy { index, byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                true
            case UInt8(ascii: "."), UInt8(ascii: "-"): index > 0
            default: false
            }
        }
        guard isValid, (1...128).contains(name.utf8.count) else { throw .invalidTag(name) }
    }
}
