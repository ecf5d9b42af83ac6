/// The rule for tags of OCI's distribution specification ("Pulling manifests"), which keeps a name within its directory too.
enum Tag {
    static func check(_ name: String) throws(ArtifactError) {
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
