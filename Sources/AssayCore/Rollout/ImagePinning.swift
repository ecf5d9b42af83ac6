import JSON

/// Which images the serving pod runs: the very bits that trained, by digest.
struct ImagePinning {
    private(set) var images: [ContainerImage] = []
    /// What could not be pinned.
    private(set) var problems: [FieldProblem] = []

    init(serving: MLModelSpec.Serving, training: PodTemplate, trained: [ContainerImage]) {
        let from = Set(serving.imageFrom.map(\.container))
        let main = training.containers.first { $0["name"]?.string == training.mainContainer }
        let source = trained.first { $0.container == training.mainContainer }
        let lists = [("containers", serving.template.containers), ("initContainers", serving.template.initContainers)]
        for (list, containers) in lists {
            for (index, container) in containers.enumerated() {
                guard let name = container["name"]?.string else { continue }
                let field = "spec.serving.template.spec.\(list)[\(index)].image"
                if from.contains(name) {
                    add(
                        name, image: source?.image ?? main?["image"]?.string ?? "", digest: source?.digest, field: field
                    )
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
        let template = training.spec.template
        let trained = Set((template.containers + template.initContainers).compactMap { $0["image"]?.string })
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
