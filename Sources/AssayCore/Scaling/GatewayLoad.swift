import JSON
import KubernetesModel

/// What a pod of the gateway says of the requests that it has: once a second it is asked.
public struct GatewayLoad: Sendable, Hashable {
    /// Of one model.
    public struct Model: Sendable, Hashable {
        /// The generation of the model's traffic that requests are routed by.
        public var generation: Int64
        public var inFlight: Int
        public var held: Int
        /// Since the gateway began.
        public var requests: Int64
        /// Seconds that requests were in flight or held, all together, since the gateway began.
        public var busySeconds: Double
        /// The most requests that one replica has from it, or can get by the bound that all of its threads keep to; nil without one.
        public var concurrency: Int?
        /// What was counted of each revision, where more than one takes requests.
        public var revisions: [String: RevisionLoad]

        public init(
            generation: Int64, inFlight: Int = 0, held: Int = 0, requests: Int64 = 0, busySeconds: Double = 0,
            concurrency: Int? = nil, revisions: [String: RevisionLoad] = [:]
        ) {
            self.concurrency = concurrency
            self.revisions = revisions
            self.generation = generation
            self.inFlight = inFlight
            self.held = held
            self.requests = requests
            self.busySeconds = busySeconds
        }

        public var isIdle: Bool { inFlight == 0 && held == 0 }
    }

    /// When that was, in seconds by the gateway's monotonic clock.
    public var time: Double
    /// It ends, and takes no more connections.
    public var isEnding: Bool
    public var models: [ObjectKey: Model]

    public init(time: Double, isEnding: Bool = false, models: [ObjectKey: Model] = [:]) {
        self.time = time
        self.isEnding = isEnding
        self.models = models
    }

    public init(json cursor: JSONCursor) throws(JSONShapeError) {
        time = try cursor["time"].double()
        isEnding = try cursor["ending"].optionalBool() ?? false
        models = [:]
        for element in try cursor["models"].elements() {
            let key = ObjectKey(namespace: try element["namespace"].string(), name: try element["name"].string())
            models[key] = Model(
                generation: try element["generation"].integer(), inFlight: try element["inFlight"].int(),
                held: try element["held"].int(), requests: try element["requests"].integer(),
                busySeconds: try element["busySeconds"].double(),
                concurrency: try element["concurrency"].optionalInt(),
                revisions: (element["revisions"].value?.object ?? [:]).reduce(into: [:]) {
                    $0[$1.key] = RevisionLoad(json: $1.value)
                })
        }
    }

    public var json: JSONValue {
        let list = models.sorted { $0.key < $1.key }.map { key, model -> JSONValue in
            var result: JSONValue = [
                "namespace": .string(key.namespace ?? ""), "name": .string(key.name),
                "generation": .integer(model.generation), "inFlight": JSONValue(model.inFlight),
                "held": JSONValue(model.held), "requests": .integer(model.requests),
                "busySeconds": .number(model.busySeconds),
            ]
            if let concurrency = model.concurrency { result["concurrency"] = JSONValue(concurrency) }
            for (name, count) in model.revisions.sorted(by: { $0.key < $1.key }) {
                result["revisions", name] = count.json
            }
            return result
        }
        var result: JSONValue = ["time": .number(time), "models": .array(list)]
        if isEnding { result["ending"] = true }
        return result
    }

    /// What a model had since the answer before, for each second; nil where the gateway has begun anew.
    public func second(of model: ObjectKey, since before: GatewayLoad) -> LoadWindow.Second? {
        let span = time - before.time
        guard span > 0 else { return nil }
        guard let now = models[model] else { return LoadWindow.Second() }
        let then = before.models[model] ?? Model(generation: 0)
        guard now.requests >= then.requests, now.busySeconds >= then.busySeconds else { return nil }
        return LoadWindow.Second(
            concurrency: (now.busySeconds - then.busySeconds) / span,
            requests: Double(now.requests - then.requests) / span)
    }
}
