import JSON
import KubernetesModel

/// The store of a namespace for trainings that name none: its ConfigMap `assay-store`, with the keys `uri`, `secretRef` (a
/// Secret's name) and `sealTimeout`.
public enum DefaultStore: Sendable, Hashable {
    /// It was not looked at.
    case unknown
    case missing
    case invalid(String)
    case store(ArtifactStoreSpec)

    public static let name = "assay-store"

    public init(json: JSONValue) throws(JSONShapeError) {
        let data = try JSONCursor(json)["data"].stringMap()
        guard let uri = data["uri"], !uri.isEmpty else {
            self = .invalid("the ConfigMap \(Self.name) has no uri; give it one, as pvc://CLAIM/PATH")
            return
        }
        let store = ArtifactStoreSpec(uri: uri, secretRef: data["secretRef"], sealTimeout: data["sealTimeout"])
        let problems = store.problems(at: "data")
        self = problems.isEmpty ? .store(store) : .invalid("the ConfigMap \(Self.name): \(problems.text)")
    }

    /// Nil while there is none that can be used.
    public var spec: ArtifactStoreSpec? {
        guard case .store(let spec) = self else { return nil }
        return spec
    }

    /// Why there is none, and what to do.
    /// - Parameter path: of the field that would name one.
    func problem(at path: String) -> String? {
        switch self {
        case .unknown, .store: nil
        case .missing:
            "\(path): names no store, and the namespace has no ConfigMap \(Self.name) that does; make one of "
                + "them, as {uri: pvc://CLAIM/PATH}"
        case .invalid(let problem): "\(path): names no store, and \(problem)"
        }
    }
}

extension ArtifactStoreSpec {
    /// What cannot stand.
    func problems(at path: String) -> [FieldProblem] {
        var problems: [FieldProblem] = []
        do {
            _ = try StoreLocation(uri)
        } catch {
            problems.append(FieldProblem("\(path).uri", error.message))
        }
        if let sealTimeout, DurationText.seconds(sealTimeout).map({ $0 < 1 || $0 > 604_800 }) ?? true {
            problems.append(
                FieldProblem(
                    "\(path).sealTimeout", "\"\(sealTimeout)\" must be a duration of 1s to 168h, as 90s or 1h30m"))
        }
        return problems
    }
}
