import JSON
import OpenSSL

/// An artifact that was made elsewhere, by its digest: a model, or a sealed revision (``RevisionRecord``).
public struct GivenArtifact: Sendable, Hashable {
    /// Where it is, with its digest: `oci://registry.local/team/wine@sha256:…`.
    public var uri: String?
    /// In place of `uri`, where the store is the namespace's.
    public var digest: String?
    /// As in ``ArtifactStoreSpec``, beside a `uri`.
    public var secretRef: String?
    /// What a server knows it by, if it is no sealed revision, whose artifacts have names.
    public var name: String?

    public static let defaultName = "model"

    public init(uri: String? = nil, digest: String? = nil, secretRef: String? = nil, name: String? = nil) {
        self.uri = uri
        self.digest = digest
        self.secretRef = secretRef
        self.name = name
    }

    public init(json cursor: JSONCursor) throws(JSONShapeError) {
        uri = try cursor["uri"].optionalString()
        digest = try cursor["digest"].optionalString()
        secretRef = cursor["secretRef"].exists ? try cursor["secretRef"]["name"].string() : nil
        name = try cursor["name"].optionalString()
    }

    public var json: JSONValue {
        var result: JSONValue = [:]
        result["uri"] = JSONValue(uri)
        result["digest"] = JSONValue(digest)
        if let secretRef { result["secretRef"] = ["name": .string(secretRef)] }
        result["name"] = JSONValue(name)
        return result
    }

    /// `sha256:…`; empty where it names none, which the validation does not let through.
    var wantedDigest: String { digest ?? uri.flatMap { Self.parts(of: $0).digest } ?? "" }

    /// The store that it names; nil where that is the namespace's.
    var store: ArtifactStoreSpec? {
        uri.map { ArtifactStoreSpec(uri: Self.parts(of: $0).store, secretRef: secretRef) }
    }

    fileprivate static func parts(of uri: String) -> (store: String, digest: String?) {
        guard let at = uri.lastIndex(of: "@") else { return (uri, nil) }
        return (String(uri[..<at]), String(uri[uri.index(after: at)...]))
    }
}

extension GivenArtifact {
    /// What cannot stand.
    func problems(at path: String) -> [FieldProblem] {
        var problems: [FieldProblem] = []
        switch (uri, digest) {
        case (nil, nil), (.some, .some):
            problems.append(
                FieldProblem(
                    path, "give either uri, as oci://HOST/REPOSITORY@sha256:…, or digest in the namespace's store"))
        case (nil, .some(let digest)):
            if let problem = Self.problem(withDigest: digest) {
                problems.append(FieldProblem("\(path).digest", problem))
            }
            if secretRef != nil {
                problems.append(
                    FieldProblem(
                        "\(path).secretRef",
                        "goes with a uri; that of the namespace's store is in its ConfigMap \(DefaultStore.name)"))
            }
        case (.some(let uri), nil): problems += Self.problems(withURI: uri, at: "\(path).uri")
        }
        if let name, !Bounds.isArtifactName(name) {
            problems.append(
                FieldProblem(
                    "\(path).name",
                    "must be 1 to 63 of a-z, 0-9 and -, begin with a letter and end with a letter or digit"))
        }
        return problems
    }

    private static func problems(withURI uri: String, at path: String) -> [FieldProblem] {
        let (store, digest) = parts(of: uri)
        guard let digest else {
            return [
                FieldProblem(
                    path,
                    "names no digest, and a tag may lead elsewhere tomorrow; write @sha256:… as `assay artifact push` and "
                        + "`assay artifact ls` print it")
            ]
        }
        var problems: [FieldProblem] = []
        if let problem = problem(withDigest: digest) { problems.append(FieldProblem(path, problem)) }
        do { _ = try StoreLocation(store) } catch { problems.append(FieldProblem(path, error.message)) }
        return problems
    }

    private static func problem(withDigest digest: String) -> String? {
        Digest(digest) == nil ? "\"\(Text.limited(digest, to: 80))\" is no sha256: and 64 hexadecimal digits" : nil
    }
}
