import JSON

/// Rules for pod templates. The API server has more, and says them when the child is created; these are the ones that
/// would otherwise surface late or not at all.
struct TemplateValidation {
    let template: PodTemplate
    /// Where the template stands: `spec.template`.
    let path: String
    /// The only restart policy that the child may have.
    let restartPolicy: String
    /// Containers whose image comes from elsewhere.
    var imageFrom: Set<String> = []
    private(set) var problems: [FieldProblem] = []

    init(template: PodTemplate, path: String, restartPolicy: String, imageFrom: Set<String> = []) {
        self.template = template
        self.path = path
        self.restartPolicy = restartPolicy
        self.imageFrom = imageFrom
        check()
    }

    private mutating func refuse(_ field: String, _ message: String) {
        problems.append(FieldProblem("\(path).\(field)", message))
    }

    private mutating func check() {
        guard let spec = template.spec, spec.object != nil else {
            refuse("spec", "is required: a pod's spec with at least one container")
            return
        }
        guard let containers = spec["containers"]?.array, !containers.isEmpty else {
            refuse("spec.containers", "must have at least one container")
            return
        }
        if containers.count > Bounds.containers {
            refuse("spec.containers", "has \(containers.count) containers; at most \(Bounds.containers) are allowed")
        }
        if let policy = spec["restartPolicy"]?.string, policy != restartPolicy {
            refuse("spec.restartPolicy", "must be \(restartPolicy), or left out")
        }
        var names: Set<String> = []
        for list in ["initContainers", "containers"] {
            for (index, container) in (spec[list]?.array ?? []).enumerated() {
                check(container, at: "spec.\(list)[\(index)]", names: &names)
            }
        }
        for (key, value) in template.json["metadata", "labels"]?.object ?? [:] {
            if key.hasPrefix(Bounds.reservedPrefix) || (key == Label.managedBy && value.string != Label.manager) {
                refuse("metadata.labels[\(key)]", "is set by the operator; remove it")
            }
        }
        for name in imageFrom.sorted() where !containers.contains(where: { $0["name"]?.string == name }) {
            problems.append(FieldProblem("spec.serving.imageFrom", "names the container \(name), which is not there"))
        }
    }

    private mutating func check(_ container: JSONValue, at field: String, names: inout Set<String>) {
        let name = container["name"]?.string ?? ""
        if !Bounds.isDNSLabel(name) {
            refuse("\(field).name", "must be 1 to 63 of a-z, 0-9 and -, and begin and end with a letter or digit")
        } else if !names.insert(name).inserted {
            refuse("\(field).name", "\(name) is there twice; names of containers are unique within a pod")
        }
        let image = container["image"]?.string ?? ""
        if imageFrom.contains(name) {
            if !image.isEmpty { refuse("\(field).image", "comes from imageFrom; remove one of the two") }
        } else if image.isEmpty {
            refuse("\(field).image", "is required")
        }
        for (index, variable) in (container["env"]?.array ?? []).enumerated() {
            guard let name = variable["name"]?.string, name.hasPrefix(ContainerContract.prefix) else { continue }
            refuse("\(field).env[\(index)].name", "\(name) is set by the operator; take another name")
        }
    }
}

/// The bounds of the schema, which an old server or a foreign one may not have held.
enum Bounds {
    static let name = 52
    static let containers = 16
    static let parameters = 64
    static let parameterName = 63
    static let parameterValue = 1024
    static let steps = 32
    static let given = 512
    static let hosts = 16
    static let concurrency = 1_000_000
    /// That one step reads, or makes.
    static let artifacts = 16
    /// That one step runs on.
    static let nodes = 1000
    static let thresholds = 32
    static let tests = 16
    static let replicas = 1000
    static let history = 20
    static let reservedPrefix = "assay.dev/"

    static func isDNSLabel(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        guard (1...63).contains(bytes.count), bytes.first != UInt8(ascii: "-"), bytes.last != UInt8(ascii: "-") else {
            return false
        }
        return bytes.allSatisfy { isLowerAlphanumeric($0) || $0 == UInt8(ascii: "-") }
    }

    /// What names of most objects are: DNS labels with points between them.
    static func isSubdomain(_ text: String) -> Bool {
        text.utf8.count <= 253
            && text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { isDNSLabel(String($0)) }
    }

    /// `[a-z]([-a-z0-9]*[a-z0-9])?`, at most 52: the children's names, and the Service's, are made of it.
    static func problem(withName name: String) -> FieldProblem? {
        guard name.utf8.count <= Self.name else {
            return FieldProblem(
                "metadata.name",
                "has \(name.utf8.count) characters; at most \(Self.name) are allowed, so that pods can be named after it"
            )
        }
        guard isDNSLabel(name), let first = name.utf8.first, first >= UInt8(ascii: "a") else {
            return FieldProblem(
                "metadata.name", "must be of a-z, 0-9 and -, begin with a letter and end with a letter or digit")
        }
        return nil
    }

    /// `[a-z]([-a-z0-9]*[a-z0-9])?`, at most 63: a directory and a variable are named after it.
    static func isArtifactName(_ text: String) -> Bool {
        guard isDNSLabel(text), let first = text.utf8.first else { return false }
        return first >= UInt8(ascii: "a")
    }

    static func isParameterName(_ text: String) -> Bool {
        let bytes = Array(text.utf8)
        guard (1...parameterName).contains(bytes.count), let first = bytes.first else { return false }
        let isLetter = { (byte: UInt8) in (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) }
        guard isLetter(first) || first == UInt8(ascii: "_") else { return false }
        return bytes.allSatisfy {
            isLetter($0) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || "_.-".utf8.contains($0)
        }
    }

    private static func isLowerAlphanumeric(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }
}
