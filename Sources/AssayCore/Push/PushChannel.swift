import JSON
import KubernetesModel

/// How a training's containers push: where to, and what they show and trust. The operator adds it to pods that it makes; of
/// what a step is it is no part.
public struct PushChannel: Sendable, Hashable {
    /// Of the tokens, which are good for nothing else.
    public static let audience = "assay.dev/push"
    /// The ConfigMap of each namespace with trainings that has the authorities to trust.
    public static let authorities = "assay-ca"
    public static let authoritiesKey = "ca.crt"

    public static let urlVariable = "ASSAY_PUSH_URL"
    public static let tokenFileVariable = "ASSAY_PUSH_TOKEN_FILE"
    public static let authorityFileVariable = "ASSAY_PUSH_CA_FILE"

    private static let volume = ArtifactContainer.prefix + "push"
    private static let directory = ArtifactContainer.root + "/push"

    /// `https://assay-push.assay-system.svc`
    public var base: String

    public init(base: String) { self.base = base }

    func variables(namespace: String, name: String) -> [(name: String, value: String)] {
        [
            (Self.urlVariable, base + PushTarget.path(namespace: namespace, name: name)),
            (Self.tokenFileVariable, "\(Self.directory)/token"),
            (Self.authorityFileVariable, "\(Self.directory)/\(Self.authoritiesKey)"),
        ]
    }

    /// Into each container of the template, which are the user's alone. Where something of the user's has these names, the
    /// pod stays as it was written.
    func add(to pod: inout PodRendering, namespace: String, name: String) {
        guard !Self.isTaken(in: PodTemplate(json: pod.template)) else { return }
        pod.forEachContainer { container in
            PodRendering.prepend(variables(namespace: namespace, name: name), to: &container)
            PodRendering.mount(
                [ArtifactContainer.mount(Self.volume, Self.directory, readOnly: true)], in: &container)
        }
        pod.addVolumes([Self.projection])
    }

    private static func isTaken(in template: PodTemplate) -> Bool {
        if template.spec?["volumes"]?.array?.contains(where: { $0["name"]?.string == volume }) == true { return true }
        let mounts = (template.initContainers + template.containers).flatMap { $0["volumeMounts"]?.array ?? [] }
        return mounts.contains { mount in
            let path = mount["mountPath"]?.string ?? ""
            return path == directory || path.hasPrefix(directory + "/")
        }
    }

    private static let projection: JSONValue = [
        "name": .string(volume),
        "projected": [
            "sources": [
                ["serviceAccountToken": ["audience": .string(audience), "path": "token"]],
                [
                    "configMap": [
                        // No training waits for what it can do without.
                        "name": .string(authorities), "optional": true,
                        "items": [["key": .string(authoritiesKey), "path": .string(authoritiesKey)]],
                    ]
                ],
            ]
        ],
    ]
}

/// What is to become of a namespace's ConfigMap of authorities.
public enum AuthoritiesPlan: Sendable, Hashable {
    case create(JSONValue)
    case patch(JSONValue)
    /// It is as it should be.
    case leave
    /// It is somebody else's, and stays as it is.
    case foreign

    /// - Parameter found: nil where there is none.
    public init(_ found: JSONValue?, namespace: String, bundle: String) {
        let data: JSONValue = [PushChannel.authoritiesKey: .string(bundle)]
        guard let found else {
            self = .create([
                "metadata": [
                    "name": .string(PushChannel.authorities), "namespace": .string(namespace),
                    "labels": [Label.managedBy: .string(Label.manager)],
                ],
                "data": data,
            ])
            return
        }
        guard found["metadata", "labels", Label.managedBy]?.string == Label.manager else {
            self = .foreign
            return
        }
        if found["data", PushChannel.authoritiesKey]?.string == bundle {
            self = .leave
            return
        }
        self = .patch([
            "metadata": [
                "uid": found["metadata", "uid"] ?? .null,
                "resourceVersion": found["metadata", "resourceVersion"] ?? .null,
            ],
            "data": data,
        ])
    }
}
