import JSON

/// A container of the serving pod that runs the very image that trained.
public struct ImageFrom: Sendable, Hashable {
    public var container: String

    public init(container: String) { self.container = container }

    public init(json cursor: JSONCursor) throws(JSONShapeError) { container = try cursor["container"].string() }

    public var json: JSONValue { ["container": .string(container)] }
}
