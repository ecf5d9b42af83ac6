import KubernetesModel

/// The port that a model has on the gateway. No other model has it, so that whoever reaches it reaches this model, and no
/// header leads elsewhere.
public enum GatewayPort {
    /// Above what is in use by convention, and below what systems take for connections of their own.
    public static let range = 10_240..<32_768

    /// The first that is free, from a place on that follows from what the model is called; nil where none is.
    static func choose(for model: ObjectMeta, taken: Set<Int>) -> Int? {
        let digest = ContentHash(of: [model.namespace ?? "", model.name, model.uid]).prefix(12)
        let start = Int(digest, radix: 16).map { $0 % range.count } ?? 0
        return range.indices.lazy.map { range.lowerBound + ($0 - range.lowerBound + start) % range.count }
            .first { !taken.contains($0) }
    }

    /// Of two models with one port it is the older's.
    public static func isBefore(_ left: ObjectMeta, _ right: ObjectMeta) -> Bool {
        (left.creationTimestamp?.description ?? "", left.key.description)
            < (right.creationTimestamp?.description ?? "", right.key.description)
    }
}
