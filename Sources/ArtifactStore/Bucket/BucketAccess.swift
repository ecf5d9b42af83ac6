import HTTPTransport

/// Where buckets are, and who one is there, from the variables that other programs for S3 read too.
public struct BucketAccess: Sendable, Hashable {
    public var signing: RequestSigning
    /// `https://minio.local:9000`; nil for Amazon's own in the region.
    public var endpoint: String?
    /// A bucket has a host name of its own, `models.minio.local`, in place of a path.
    public var hasHostPerBucket: Bool

    public init(signing: RequestSigning, endpoint: String? = nil, hasHostPerBucket: Bool = false) {
        self.signing = signing
        self.endpoint = endpoint
        self.hasHostPerBucket = hasHostPerBucket
    }

    /// - Parameter allowsPlain: The endpoint may be one by http, in the clear.
    /// - Throws: ``ArtifactError`` that names the variable that is missing or wrong.
    public init(
        environment: [String: String], allowsPlain: Bool = false, hasHostPerBucket: Bool = false
    ) throws(ArtifactError) {
        /// The first that is set, and not to nothing.
        func value(_ names: String...) -> String? {
            names.lazy.compactMap { environment[$0] }.first { !$0.isEmpty }
        }
        let pair = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
        let missing = pair.filter { value($0) == nil }
        guard missing.isEmpty, let accessKey = value(pair[0]), let secretKey = value(pair[1]) else {
            throw .malformed(
                "\(missing.joined(separator: " and ")) \(missing.count == 1 ? "is" : "are") not set: a store in a "
                    + "bucket takes its keys from these variables, and AWS_SESSION_TOKEN where there is one")
        }
        endpoint = try value("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL").map { (url) throws(ArtifactError) in
            try Self.endpoint(url, allowsPlain)
        }
        // Stores that are not Amazon's have one region, and call it so.
        guard let region = value("AWS_REGION", "AWS_DEFAULT_REGION") ?? (endpoint == nil ? nil : "us-east-1") else {
            throw .malformed("neither AWS_REGION nor AWS_ENDPOINT_URL is set: where the bucket is, is not known")
        }
        guard region.utf8.count <= 32, region.allSatisfy({ $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") })
        else { throw .malformed("AWS_REGION is no region: \(region)") }
        signing = RequestSigning(
            accessKey: accessKey, secretKey: secretKey, sessionToken: value("AWS_SESSION_TOKEN"), region: region,
            service: "s3")
        self.hasHostPerBucket = hasHostPerBucket
    }

    private static func endpoint(_ url: String, _ allowsPlain: Bool) throws(ArtifactError) -> String {
        guard let parts = ServerURL(url), parts.target == "/" else {
            throw .malformed("AWS_ENDPOINT_URL is not https://HOST[:PORT]")
        }
        guard parts.scheme == "https" || allowsPlain else {
            throw .malformed("\(parts.server) would be spoken to in the clear; where that is meant, say --plain-http")
        }
        return parts.server
    }

    /// What requests for a bucket are sent to, and what stands before the keys in their targets.
    func server(for bucket: String) -> (server: String, path: String) {
        guard let endpoint else {
            let domain = signing.region.hasPrefix("cn-") ? "amazonaws.com.cn" : "amazonaws.com"
            // Amazon's certificate is for one name before its own, which one with dots is not.
            if bucket.contains(".") { return ("https://s3.\(signing.region).\(domain)", "/\(bucket)") }
            return ("https://\(bucket).s3.\(signing.region).\(domain)", "")
        }
        guard hasHostPerBucket, let mark = endpoint.firstRange(of: "://") else { return (endpoint, "/\(bucket)") }
        return ("\(endpoint[..<mark.upperBound])\(bucket).\(endpoint[mark.upperBound...])", "")
    }
}
