import JSON
import KubernetesModel

/// What a run produced, as it is served. Its lineage is the run's (`status.runs[].number == run`).
public struct Revision: Sendable, Hashable {
    public enum State: String, Sendable, Hashable, CaseIterable {
        case rollingOut = "RollingOut"
        case serving = "Serving"
        case superseded = "Superseded"
        case failed = "Failed"
    }

    public var name: String
    public var run: Int
    public var servingHash: String
    /// The version of the rendering of its pods, so that an upgrade of the operator restarts none.
    public var rendering: Int
    public var deployment: String
    public var port: Int
    public var images: [ContainerImage]
    /// What its pods fetch before they start; nil where they fetch nothing.
    public var content: ServedContent?
    public var state: State
    public var reason: String?
    public var message: String?
    /// When the rollout began.
    public var startTime: Timestamp?
    /// When it began to serve.
    public var servingTime: Timestamp?
    /// What its server has shown before it served; nil where nothing was asked of it.
    public var proof: Proof?

    public init(
        name: String, run: Int, servingHash: String, rendering: Int, deployment: String, port: Int,
        images: [ContainerImage], content: ServedContent? = nil, state: State = .rollingOut
    ) {
        self.name = name
        self.run = run
        self.servingHash = servingHash
        self.rendering = rendering
        self.deployment = deployment
        self.port = port
        self.images = images
        self.content = content
        self.state = state
    }

    public init(json cursor: JSONCursor) throws(JSONShapeError) {
        name = try cursor["name"].string()
        run = try cursor["run"].int()
        servingHash = try cursor["servingHash"].string()
        rendering = try cursor["rendering"].int()
        deployment = try cursor["deployment"].string()
        port = try cursor["port"].int()
        images = try cursor["images"].map { element throws(JSONShapeError) in try ContainerImage(json: element) }
        content = cursor["content"].exists ? try ServedContent(json: cursor["content"]) : nil
        state = try cursor["state"].requiredEnum()
        reason = try cursor["reason"].optionalString()
        message = try cursor["message"].optionalString()
        startTime = try cursor["startTime"].optionalTimestamp()
        servingTime = try cursor["servingTime"].optionalTimestamp()
        proof = cursor["proof"].exists ? try Proof(json: cursor["proof"]) : nil
    }

    public var json: JSONValue {
        var result: JSONValue = [
            "name": .string(name), "run": JSONValue(run), "servingHash": .string(servingHash),
            "rendering": JSONValue(rendering), "deployment": .string(deployment), "port": JSONValue(port),
            "state": .string(state.rawValue),
        ]
        if !images.isEmpty { result["images"] = JSONValue(images.map(\.json)) }
        result["content"] = content?.json
        result["reason"] = JSONValue(reason)
        result["message"] = JSONValue(message)
        result["startTime"] = JSONValue(startTime?.description)
        result["servingTime"] = JSONValue(servingTime?.description)
        result["proof"] = proof?.json
        return result
    }
}
