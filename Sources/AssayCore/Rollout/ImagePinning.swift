import JSON

/// Which images the serving pod runs: the very bits that trained, by digest.
struct ImagePinning {
    private(set) var images: [ContainerImage] = []
    /// What could not be pinned.
    private(set) var problems: [FieldProblem] = []

    init(serving: MLModelSpec.Serving, training: TrainingJobSpec, trained: [ContainerImage]) {
        let from = Dictionary(serving.imageFrom.map { ($0.container, $0) }, uniquingKeysWith: { first, _ in first })
        let lists = [("containers", serving.template.containers), ("initContainers", serving.template.initContainers)]
        for (list, containers) in lists {
            for (index, container) in containers.enumerated() {
                guard let name = container["name"]?.string else { continue }
                let field = "spec.serving.template.spec.\(list)[\(index)].image"
                if let from = from[name] {
                    let template = training.template(of: from)
                    let source = trained.first { $0.step == from.step && $0.container == template?.mainContainer }
                    add(
                        name, image: source?.image ?? template?.mainImage ?? "", digest: source?.digest, field: field)
                } else {
                    let image = container["image"]?.string ?? ""
                    let own = ImageReference(image).digest
                    let same = trained.first { $0.image == image && $0.digest != nil }
                    add(name, image: image, digest: own ?? same?.digest, field: field)
                }
            }
        }
    }

    private mutating func add(_ container: String, image: String, digest: String?, field: String) {
        images.append(ContainerImage(container: container, image: image, digest: digest))
        guard digest == nil else { return }
        problems.append(
            FieldProblem(
                field,
                "\"\(image)\" could not be pinned to the digest that trained; serve an image that has one, or set "
                    + "spec.serving.allowUnpinned: true"))
    }
}

extension MLModelSpec {
    /// Images of which it can be said before any training that they will not be pinned.
    var pinningProblems: [FieldProblem] {
        guard serving.allowUnpinned != true else { return [] }
        let trained = Set(
            training.spec.templates.flatMap { $0.containers + $0.initContainers }.compactMap { $0["image"]?.string })
        let from = Set(serving.imageFrom.map(\.container))
        var problems: [FieldProblem] = []
        let lists = [("containers", serving.template.containers), ("initContainers", serving.template.initContainers)]
        for (list, containers) in lists {
            for (index, container) in containers.enumerated() {
                guard let image = container["image"]?.string, !image.isEmpty, !trained.contains(image),
                    !from.contains(container["name"]?.string ?? ""), ImageReference(image).digest == nil
                else { continue }
                problems.append(
                    FieldProblem(
                        "spec.serving.template.spec.\(list)[\(index)].image",
                        "\"\(image)\" is not the image that trains and names no digest; use imageFrom, the same image, "
                            + "an image@sha256:… or set spec.serving.allowUnpinned: true"))
            }
        }
        return problems
    }
}

extension TrainingJobSpec {
    /// The template of the pod whose image is taken; nil where there is no such step.
    func template(of source: ImageFrom) -> PodTemplate? {
        allSteps.first { $0.name == source.step ?? "" }?.template
    }
}
