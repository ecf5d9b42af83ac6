import AssayCore
import JSON

/// The image that the operator's own pod runs, and what it was pulled with: for the pods that are to run it too.
public struct OperatorImage: Sendable, Hashable {
    /// The container's name in our manifests.
    static let container = "operator"

    /// As a pod names it; by digest where the node has told the digest.
    public var reference: String
    /// The names of Secrets in the operator's namespace.
    public var pullSecrets: [String]
    /// Whether the node has told what it runs, be it a digest or not. It does so soon after the start.
    var isStarted: Bool

    /// One that a person has named.
    init(reference: String) {
        self.reference = reference
        pullSecrets = []
        isStarted = true
    }

    /// Reads a Pod; nil where it has no container with an image.
    init?(pod: JSONValue) {
        let containers = pod["spec", "containers"]?.array ?? []
        let own = containers.first { $0["name"]?.string == Self.container } ?? containers.first
        guard let name = own?["name"]?.string, let image = own?["image"]?.string, !image.isEmpty else { return nil }
        let status = (pod["status", "containerStatuses"]?.array ?? []).first { $0["name"]?.string == name }
        let imageID = status?["imageID"]?.string ?? ""
        reference = ContainerImage(container: name, image: image, imageID: imageID).pinned
        pullSecrets = (pod["spec", "imagePullSecrets"]?.array ?? []).compactMap { $0["name"]?.string }
        isStarted = !imageID.isEmpty
    }
}
