import JSON

/// Where a training keeps its artifacts.
public struct ArtifactStoreSpec: Sendable, Hashable {
    /// `pvc://CLAIM/PATH`, `oci://HOST/REPOSITORY` or `s3://BUCKET/PREFIX`.
    public var uri: String
    /// A Secret of the same namespace with `.dockerconfigjson`, or `AWS_ACCESS_KEY_ID` and what belongs to it, and `ca.crt`
    /// where the store's certificate is of an authority of its own.
    public var secretRef: String?
    /// How long a store that is away is waited for when a step has ended, as `90s` or `1h30m`.
    public var sealTimeout: String?

    public static let defaultSealTimeout = "1h"

    public init(uri: String, secretRef: String? = nil, sealTimeout: String? = nil) {
        self.uri = uri
        self.secretRef = secretRef
        self.sealTimeout = sealTimeout
    }

    /// For how many seconds it is waited for where something would be lost without it.
    var patience: Int { Int((DurationText.seconds(sealTimeout ?? Self.defaultSealTimeout) ?? 3600).rounded(.up)) }

    /// Nil for an address that names none; the validation says why.
    var location: StoreLocation? {
        do { return try StoreLocation(uri) } catch { return nil }
    }

    /// The PersistentVolumeClaim that it is on; nil for another store.
    public var claimName: String? {
        guard case .claim(let name, _) = location else { return nil }
        return name
    }

    public init(json cursor: JSONCursor) throws(JSONShapeError) {
        uri = try cursor["uri"].string()
        secretRef = cursor["secretRef"].exists ? try cursor["secretRef"]["name"].string() : nil
        sealTimeout = try cursor["sealTimeout"].optionalString()
    }

    public var json: JSONValue {
        var result: JSONValue = ["uri": .string(uri)]
        if let secretRef { result["secretRef"] = ["name": .string(secretRef)] }
        result["sealTimeout"] = JSONValue(sealTimeout)
        return result
    }
}
