/// The keys that requests to a server are signed with, by AWS' Signature Version 4.
///
/// A transport signs what it is given: the query must be sorted and percent-encoded as the signature has it, each
/// parameter with a `=`, and the body's SHA-256 must stand in `x-amz-content-sha256`.
public struct RequestSigning: Sendable, Hashable, CustomStringConvertible, CustomReflectable {
    public var accessKey: String
    public var secretKey: String
    /// What goes with keys that are lent for a while.
    public var sessionToken: String?
    /// Both are part of what is signed: `eu-central-1`, `s3`.
    public var region: String
    public var service: String

    public init(accessKey: String, secretKey: String, sessionToken: String? = nil, region: String, service: String) {
        self.accessKey = accessKey
        self.secretKey = secretKey
        self.sessionToken = sessionToken
        self.region = region
        self.service = service
    }

    /// The access key is sent in the clear with each request; the others are secrets.
    public var description: String { "\(accessKey) in \(region), <secret>" }
    public var customMirror: Mirror { Mirror(self, children: ["accessKey": accessKey, "region": region]) }
}
