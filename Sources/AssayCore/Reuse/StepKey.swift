import JSON

/// By what the result of a step is found again: everything that goes into it, and nothing of the run that it is made in.
public enum StepKey {
    /// Of the way that it is taken.
    private static let version = "1"

    /// What goes into a step besides images and inputs: its template as it was written, its outputs, seed, the parameters that it
    /// is told, the number of its nodes, the versions of what the template refers to, and where it has no inputs the version of the
    /// data outside. Neither its name, nor where an image is from, nor where an attempt goes on from is of it.
    static func recipe(
        of step: TrainingStep, in spec: TrainingJobSpec, references: [(TemplateReference, String)]
    ) -> String {
        var pod = PodRendering(step.template)
        pod.forEachContainer { $0["image"] = nil }
        var document = step.json
        for field in ["name", "reuse", "inputs", "checkpoint"] { document[field] = nil }
        document["template"] = pod.template
        document["outputs"] = JSONValue(step.outputs.sorted())
        document["parameters"] = JSONValue(spec.parameters.filter { step.parameters.contains($0.key) })
        if let seed = spec.seed { document["seed"] = .integer(seed) }
        if step.inputs.isEmpty { document["dataVersion"] = JSONValue(spec.dataVersion) }
        document["references"] = .array(
            references.map { [.string($0.kind.rawValue), .string($0.name), .string($1)] })
        return ContentHash(of: document).hex
    }

    /// Also the tag under which a store has the result.
    /// - Parameters:
    ///   - images: digests by container.
    ///   - inputs: digests by name.
    public static func key(recipe: String, images: [String: String], inputs: [String: String]) -> String {
        let document: JSONValue = [
            "version": .string(version), "recipe": .string(recipe), "images": JSONValue(images),
            "inputs": JSONValue(inputs),
        ]
        return "step-" + ContentHash(of: document).prefix(32)
    }

    /// Under which a store has one of the outputs.
    public static func tag(of output: String, key: String) -> String { "\(key).\(output)" }

    /// The key that a tag is, or is of an output of; nil where somebody else has given it.
    public static func key(ofTag tag: String) -> String? {
        let key = tag.prefix { $0 != "." }
        guard let prefix = ["step-", "revision-"].first(where: key.hasPrefix) else { return nil }
        let digits = key.dropFirst(prefix.count)
        guard digits.utf8.count == 32,
            digits.utf8.allSatisfy({
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                    || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
            })
        else { return nil }
        return String(key)
    }
}

extension [ContainerImage] {
    /// The digests by container; nil where one has none.
    var digests: [String: String]? {
        var result: [String: String] = [:]
        for image in self {
            guard let digest = image.digest else { return nil }
            result[image.container] = digest
        }
        return result
    }
}

extension [SealedArtifact] {
    var digests: [String: String] {
        Dictionary(map { ($0.name, $0.digest) }, uniquingKeysWith: { first, _ in first })
    }
}
