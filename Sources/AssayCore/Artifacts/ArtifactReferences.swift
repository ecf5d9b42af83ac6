import JSON
import OpenSSL

/// Which artifacts an object refers to.
public enum ArtifactReferences {
    /// Every digest that stands anywhere in it: whatever a field is for, and whichever version has written it, what it names is
    /// not removed.
    public static func digests(in value: JSONValue) -> Set<Digest> {
        var result: Set<Digest> = []
        var left = [value]
        while let value = left.popLast() {
            switch value {
            case .string(let text): result.formUnion(digests(in: text))
            case .array(let elements): left += elements
            case .object(let object):
                for (name, element) in object {
                    result.formUnion(digests(in: name))
                    left.append(element)
                }
            default: break
            }
        }
        return result
    }

    /// The same as they are written.
    public static func names(in value: JSONValue) -> Set<String> { Set(digests(in: value).map(\.description)) }

    /// Also within a text: an image, an address, a document in an annotation.
    private static func digests(in text: String) -> Set<Digest> {
        var result: Set<Digest> = []
        var rest = Substring(text)
        while let mark = rest.firstRange(of: "sha256:") {
            if let digest = Digest(String(rest[mark.lowerBound...].prefix("sha256:".count + 64))) {
                result.insert(digest)
            }
            rest = rest[mark.upperBound...]
        }
        return result
    }
}
