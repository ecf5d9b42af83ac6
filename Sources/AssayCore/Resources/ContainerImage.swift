import JSON

/// The image that a container of the successful pod really ran.
public struct ContainerImage: Sendable, Hashable {
    public var container: String
    /// The step whose pod it was; nil for the short form's, and for what serves.
    public var step: String?
    /// As the template names it.
    public var image: String
    /// `sha256:…`; absent where the runtime reported none, which pins nothing.
    public var digest: String?

    public init(container: String, image: String, digest: String? = nil) {
        self.container = container
        self.image = image
        self.digest = digest
    }

    /// - Parameter imageID: of the container's status, of which only a digest counts.
    public init(container: String, image: String, imageID: String) {
        self.init(container: container, image: image, digest: ImageReference.digest(in: imageID))
    }

    public init(json cursor: JSONCursor) throws(JSONShapeError) {
        container = try cursor["container"].string()
        image = try cursor["image"].string()
        digest = try cursor["digest"].optionalString()
        step = try cursor["step"].optionalString()
    }

    public var json: JSONValue {
        var result: JSONValue = ["container": .string(container), "image": .string(image)]
        result["digest"] = JSONValue(digest)
        result["step"] = JSONValue(step)
        return result
    }
}
