import HTTPTransport

/// Why a store has not done what it was asked for ("Error responses" of Amazon's S3).
struct BucketComplaint: Hashable {
    let status: Int
    /// `NoSuchKey`; empty where there is none.
    let code: String
    private let message: String
    /// Where the bucket is, if the store says so.
    private let region: String?
    /// The time by the store's clock.
    private let date: String?
    let retryAfter: Duration?
    private let mayBeOtherwise: Bool

    private static let longestMessage = 400

    /// What does not say that it is the store's fault, and may still go well when it is tried again.
    private static let transientCodes: Set = [
        "RequestTimeout", "IncompleteBody", "BadDigest", "XAmzContentSHA256Mismatch", "SlowDown", "Throttling",
        "ThrottlingException", "OperationAborted", "InternalError", "ServiceUnavailable",
    ]

    init(_ response: HTTPResponse, _ answer: XMLAnswer?) {
        let error = answer.flatMap { $0.root == "Error" ? $0 : nil }
        status = response.status
        code = error?["Code"] ?? ""
        message = String((error?["Message"] ?? "").prefix(Self.longestMessage))
        region = response.headers["x-amz-bucket-region"] ?? error?["Region"]
        date = response.headers["Date"]
        retryAfter = response.retryAfter
        mayBeOtherwise = response.mayBeOtherwise
    }

    var isTransient: Bool { mayBeOtherwise || Self.transientCodes.contains(code) }

    /// There is no such object; nothing is said against the bucket.
    var isMissingObject: Bool { status == 404 && code != "NoSuchBucket" }

    /// An upload in parts that the store has forgotten, or of which it has lost a part.
    var isLostUpload: Bool { status == 404 || code == "InvalidPart" || code == "InvalidPartOrder" }

    /// - Parameter own: the region that was asked.
    func text(region own: String) -> String {
        var text = "the store answers \(status)"
        if !code.isEmpty { text += " \(code)" }
        if !message.isEmpty { text += ": \(message)" }
        if let region, region != own, (300..<400).contains(status) || status == 400 {
            return "\(text); the bucket is in the region \(region): set AWS_REGION to it"
        }
        if (300..<400).contains(status) { return "\(text); it leads elsewhere, which is not followed" }
        switch code {
        case "RequestTimeTooSkewed":
            text += "; the clock of this machine is wrong, or the store's, by which it is \(date ?? "another time")"
        case "SignatureDoesNotMatch":
            text += "; AWS_SECRET_ACCESS_KEY does not belong to AWS_ACCESS_KEY_ID"
        case "InvalidAccessKeyId": text += "; AWS_ACCESS_KEY_ID is not known there"
        case "InvalidToken", "ExpiredToken": text += "; AWS_SESSION_TOKEN does not count, or no longer"
        case "AccessDenied": text += "; these keys may not do that"
        default: break
        }
        return text
    }
}
