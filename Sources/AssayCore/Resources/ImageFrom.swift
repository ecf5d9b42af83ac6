import JSON

/// A container of the serving pod that runs the very image that trained.
public struct ImageFrom: Sendable, Hashable {
    public var container: String
    /// The step whose main container's image it is; nil for the short form's.
    public var step: String?

    public init(container: String, step: String? = nil) {
        self.container = container
        self.step = step
    }

    public init(json cursor: JSONCursor) throws(JSONShapeError) {
        container = try cursor["container"].string()
        step = try cursor["step"].optionalString()
    }

    public var json: JSONValue {
        var result: JSONValue = ["container": .string(container)]
        result["step"] = JSONValue(step)
        return result
    }
}
