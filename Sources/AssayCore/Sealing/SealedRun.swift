import JSON
import KubernetesModel
import OpenSSL

/// How the sealing of a judged run stands: its record is an artifact beside those that the run has made.
public struct SealedRun: Sendable, Hashable {
    /// The Job that writes it.
    public var job: String
    /// Of the judgement that is in it.
    public var validationHash: String
    /// `sha256:…`, once it is in the store.
    public var digest: String?
    /// Why it is not.
    public var message: String?
    /// When the Job had ended that has written it.
    public var completionTime: Timestamp?

    public init(job: String, validationHash: String, digest: String? = nil, message: String? = nil) {
        self.job = job
        self.validationHash = validationHash
        self.digest = digest
        self.message = message
    }

    public init(json cursor: JSONCursor) throws(JSONShapeError) {
        job = try cursor["job"].string()
        validationHash = try cursor["validationHash"].string()
        digest = try cursor["digest"].optionalString()
        message = try cursor["message"].optionalString()
        completionTime = try cursor["completionTime"].optionalTimestamp()
    }

    public var json: JSONValue {
        var result: JSONValue = ["job": .string(job), "validationHash": .string(validationHash)]
        result["digest"] = JSONValue(digest)
        result["message"] = JSONValue(message)
        result["completionTime"] = JSONValue(completionTime?.description)
        return result
    }

    var isUnderWay: Bool { digest == nil && message == nil }

    /// What `assay artifact record` leaves as its termination message: the digest, on a line of its own.
    static func digest(in message: String) -> String? {
        Digest(String(message.prefix { !$0.isNewline })).map(\.description)
    }
}

/// What a sealed revision says of itself, where it was found again.
public struct SealedJudgement: Sendable, Hashable {
    /// Of the record.
    public var digest: String
    public var validationHash: String
    public var judgement: Run.Judgement
    public var verdicts: [Verdict]

    public init(digest: String, validationHash: String, judgement: Run.Judgement, verdicts: [Verdict]) {
        self.digest = digest
        self.validationHash = validationHash
        self.judgement = judgement
        self.verdicts = verdicts
    }

    public init(json cursor: JSONCursor) throws(JSONShapeError) {
        digest = try cursor["digest"].string()
        validationHash = try cursor["validationHash"].string()
        judgement = try cursor["judgement"].requiredEnum()
        verdicts = try cursor["verdicts"].map { element throws(JSONShapeError) in try Verdict(json: element) }
    }

    public var json: JSONValue {
        var result: JSONValue = [
            "digest": .string(digest), "validationHash": .string(validationHash),
            "judgement": .string(judgement.rawValue),
        ]
        if !verdicts.isEmpty { result["verdicts"] = JSONValue(verdicts.map(\.json)) }
        return result
    }

    /// Somebody else has written it, and it is to stand in a status.
    var isBounded: Bool {
        Digest(digest) != nil && validationHash.utf8.count <= 128
            && verdicts.allSatisfy { verdict in
                let short = [verdict.metric, verdict.rule, verdict.bound, verdict.value ?? "", verdict.baseline ?? ""]
                return short.allSatisfy { $0.count <= 63 } && verdict.why.count <= 4096
            }
    }

    /// Without most of the sentences, which follow from the values.
    var brief: SealedJudgement {
        var result = self
        for index in result.verdicts.indices { result.verdicts[index].why = "judged before" }
        return result
    }
}
