import JSON

/// An object beside a step's template whose content changes what the step does.
public struct TemplateReference: Sendable, Hashable, Comparable {
    public enum Kind: String, Sendable, Hashable, CaseIterable {
        case configMap = "ConfigMap"
        case secret = "Secret"
    }

    public var kind: Kind
    public var name: String

    public static func < (left: Self, right: Self) -> Bool {
        (left.kind.rawValue, left.name) < (right.kind.rawValue, right.name)
    }
}

/// What was seen of such an object. Its content is not read.
public enum ReferenceObservation: Sendable, Hashable {
    /// As it stands: its resource version.
    case version(String)
    case missing
    /// The operator may not look at it.
    case forbidden
}

extension PodTemplate {
    /// The ConfigMaps and Secrets that containers and volumes name, each once, in order. Those that only pull images are none of
    /// them.
    var references: [TemplateReference] {
        var found: Set<TemplateReference> = []
        func add(_ kind: TemplateReference.Kind, _ name: JSONValue?) {
            if let name = name?.string, !name.isEmpty { found.insert(TemplateReference(kind: kind, name: name)) }
        }
        for container in containers + initContainers {
            for variable in container["env"]?.array ?? [] {
                add(.secret, variable["valueFrom", "secretKeyRef", "name"])
                add(.configMap, variable["valueFrom", "configMapKeyRef", "name"])
            }
            for source in container["envFrom"]?.array ?? [] {
                add(.secret, source["secretRef", "name"])
                add(.configMap, source["configMapRef", "name"])
            }
        }
        for volume in spec?["volumes"]?.array ?? [] {
            add(.secret, volume["secret", "secretName"])
            add(.configMap, volume["configMap", "name"])
            for source in volume["projected", "sources"]?.array ?? [] {
                add(.secret, source["secret", "name"])
                add(.configMap, source["configMap", "name"])
            }
        }
        return found.sorted()
    }

    /// The same with the images of its containers by the digests given for them; what has one stays as it is.
    func pinned(to images: [ContainerImage]) -> PodTemplate {
        var pod = PodRendering(self)
        pod.forEachContainer { container in
            guard let text = container["image"]?.string, ImageReference(text).digest == nil,
                let digest = images.first(where: { $0.container == container["name"]?.string })?.digest
            else { return }
            container["image"] = .string(ImageReference(text).pinned(to: digest))
        }
        return PodTemplate(json: pod.template)
    }

    /// The images of all containers, with the digests that they are named by.
    var images: [ContainerImage] {
        (containers + initContainers).compactMap { container in
            guard let name = container["name"]?.string, let image = container["image"]?.string else { return nil }
            return ContainerImage(container: name, image: image, digest: ImageReference(image).digest)
        }
    }
}
