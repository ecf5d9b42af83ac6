import JSON

/// What a candidate has to show, as a running server, before users reach it.
extension MLModelSpec {
    /// Requests with the answers that were given when the model was evaluated: the server must give the same.
    public struct Golden: Sendable, Hashable {
        /// The output of a step with the records, in files of JSON Lines; see ``GoldenRecord``.
        public var artifact: String
        /// How far a number may be from the recorded one: in its unit, and of numbers beyond 1 in parts of them.
        public var tolerance: Double?
        /// Where requests go whose record does not say it.
        public var path: String?

        public static let defaultTolerance = 1e-6

        public init(artifact: String, tolerance: Double? = nil, path: String? = nil) {
            self.artifact = artifact
            self.tolerance = tolerance
            self.path = path
        }

        public init(json cursor: JSONCursor) throws(JSONShapeError) {
            artifact = try cursor["artifact"].string()
            tolerance = try cursor["tolerance"].optionalDouble()
            path = try cursor["path"].optionalString()
        }

        public var json: JSONValue {
            var result: JSONValue = ["artifact": .string(artifact)]
            if let tolerance { result["tolerance"] = .number(tolerance) }
            result["path"] = JSONValue(path)
            return result
        }

        public var allowed: Double { tolerance ?? Self.defaultTolerance }
    }

    public enum MalformedInput: String, Sendable, Hashable, CaseIterable {
        /// It must be answered with a 4xx, and good requests go on being answered.
        case reject = "Reject"
    }

    /// How the load run goes, in which latency, throughput and errors are measured.
    public struct Load: Sendable, Hashable {
        public var seconds: Int?
        /// How many requests are under way at once.
        public var concurrency: Int?

        public static let defaultSeconds = 10
        public static let defaultConcurrency = 4
        public static let longest = 600
        public static let widest = 256

        public init(seconds: Int? = nil, concurrency: Int? = nil) {
            self.seconds = seconds
            self.concurrency = concurrency
        }

        public init(json cursor: JSONCursor) throws(JSONShapeError) {
            seconds = try cursor["seconds"].optionalInt()
            concurrency = try cursor["concurrency"].optionalInt()
        }

        public var json: JSONValue {
            var result: JSONValue = [:]
            if let seconds { result["seconds"] = JSONValue(seconds) }
            if let concurrency { result["concurrency"] = JSONValue(concurrency) }
            return result
        }
    }

    /// A pod of the user's that talks to the candidate; its end says whether it passes.
    public struct CandidateTest: Sendable, Hashable {
        public var name: String
        public var template: PodTemplate
        public var activeDeadlineSeconds: Int?

        public static let defaultDeadline = 600

        public init(name: String, template: PodTemplate, activeDeadlineSeconds: Int? = nil) {
            self.name = name
            self.template = template
            self.activeDeadlineSeconds = activeDeadlineSeconds
        }

        public init(json cursor: JSONCursor) throws(JSONShapeError) {
            name = try cursor["name"].string()
            template = try PodTemplate(json: cursor["template"])
            activeDeadlineSeconds = try cursor["activeDeadlineSeconds"].optionalInt()
        }

        public var json: JSONValue {
            var result: JSONValue = ["name": .string(name), "template": template.json]
            if let activeDeadlineSeconds { result["activeDeadlineSeconds"] = JSONValue(activeDeadlineSeconds) }
            return result
        }

        public var deadline: Int { activeDeadlineSeconds ?? Self.defaultDeadline }
    }
}

extension MLModelSpec.Validation {
    /// Judged when the run has ended.
    public var runThresholds: [Threshold] { thresholds.filter { $0.source != .candidate } }
    /// Judged by what was measured on the candidate.
    public var candidateThresholds: [Threshold] { thresholds.filter { $0.source == .candidate } }

    /// Whether the server itself has something to show.
    public var needsProof: Bool { golden != nil || !tests.isEmpty || !candidateThresholds.isEmpty }

    /// Whether `assay prove` has something to do. Without golden records there is nothing to ask a server.
    var needsProver: Bool { golden != nil }

    /// Whether latency and the like are measured.
    var needsLoad: Bool { load != nil || !candidateThresholds.isEmpty }

    /// Of all that a proof is by: a change of it is another proof.
    public var proofHash: String {
        SpecHash.text(
            MLModelSpec.Validation(
                thresholds: candidateThresholds, golden: golden, malformedInput: malformedInput, load: load,
                tests: tests
            ).json)
    }
}
