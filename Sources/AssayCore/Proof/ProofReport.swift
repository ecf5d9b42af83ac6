import JSON
import OpenSSL

/// What `assay prove` found, as it leaves it in its termination message: the full report is an artifact.
public struct ProofReport: Sendable, Hashable {
    /// One of the things that were tried.
    public struct Part: Sendable, Hashable {
        public var tried: Int
        public var failed: Int
        /// The first that failed.
        public var message: String?

        public init(tried: Int, failed: Int, message: String? = nil) {
            self.tried = tried
            self.failed = failed
            self.message = message
        }

        init(json cursor: JSONCursor) throws(JSONShapeError) {
            tried = try cursor["tried"].int()
            failed = try cursor["failed"].int()
            message = try cursor["message"].optionalString()
        }

        public var json: JSONValue {
            var result: JSONValue = ["tried": JSONValue(tried), "failed": JSONValue(failed)]
            result["message"] = JSONValue(message)
            return result
        }

        mutating func shorten() { message = message.map { Text.limited(Text.line($0), to: 300) } }

        /// Nothing that was not tried is shown.
        public var passed: Bool { tried > 0 && failed == 0 }
    }

    public var golden: Part
    /// Nil where it was not asked for, or golden records were not answered already.
    public var malformedInput: Part?
    /// Of the load run.
    public var metrics: [String: Double]
    /// The artifact that is the full report.
    public var digest: String?

    public init(golden: Part, malformedInput: Part? = nil, metrics: [String: Double] = [:], digest: String? = nil) {
        self.golden = golden
        self.malformedInput = malformedInput
        self.metrics = metrics
        self.digest = digest
    }

    /// Reads a termination message; nil for anything else.
    public init?(message: String) {
        do throws(JSONShapeError) {
            guard let value = try? JSONValue(parsing: message) else { return nil }
            let cursor = JSONCursor(value)
            golden = try Part(json: cursor["golden"])
            malformedInput = cursor["malformedInput"].exists ? try Part(json: cursor["malformedInput"]) : nil
            metrics = [:]
            for name in LoadSummary.names {
                guard let value = try cursor["metrics"][name].optionalDouble() else { continue }
                metrics[name] = value
            }
            digest = try cursor["digest"].optionalString()
        } catch {
            return nil
        }
        // It runs in the tenant's namespace, and stands in a status.
        guard digest.map({ Digest($0) != nil }) ?? true else { return nil }
        golden.shorten()
        malformedInput?.shorten()
    }

    var measurements: [Proof.Measurement] {
        metrics.sorted { $0.key < $1.key }.map { Proof.Measurement(name: $0.key, value: MetricValue($0.value)) }
    }

    public var json: JSONValue {
        var result: JSONValue = ["golden": golden.json]
        result["malformedInput"] = malformedInput?.json
        if !metrics.isEmpty {
            result["metrics"] = .object(JSONObject(metrics.map { ($0.key, .number($0.value)) }))
        }
        result["digest"] = JSONValue(digest)
        return result
    }
}
