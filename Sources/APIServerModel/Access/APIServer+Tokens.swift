import JSON
import KubernetesModel

/// The tokens of service accounts: what is asked for by a `TokenRequest`, and told by a `TokenReview`.
extension APIServer {
    /// Issues a token for a service account. The owner learns of it through ``user(ofToken:now:)``.
    mutating func issueToken(_ request: ResourceRequest, _ context: RequestContext) throws(APIFailure) -> APIResponse {
        let account = try existing(request)
        var json = try document(context)
        let wanted = json["spec", "expirationSeconds"]?.int ?? 3600
        try Self.checkLifetime(wanted)
        let bound = try boundObject(json["spec", "boundObjectRef"], account)
        let audiences = (json["spec", "audiences"]?.array ?? []).compactMap(\.string)
        let seconds = min(wanted, 86_400)
        let now = context.now.truncatedToSeconds
        let issued = IssuedToken(
            namespace: account.namespace ?? "", account: account.name, uid: account.uid,
            audiences: audiences.isEmpty ? options.apiAudiences : audiences, bound: bound, issuedAt: now,
            expiry: now + .seconds(seconds))
        let token = issued.text(issuer: options.apiAudiences.first ?? "", secret: generator.uid() + generator.uid())
        // Each sweep is paid for by the tokens that were issued since the last one.
        if tokens.count % 256 == 255 { tokens = tokens.filter { now < $0.value.expiry } }
        tokens[token] = issued
        json["spec", "expirationSeconds"] = JSONValue(seconds)
        json["spec", "audiences"] = JSONValue(issued.audiences)
        json["status"] = ["token": .string(token), "expirationTimestamp": .string(issued.expiry.description)]
        return Self.json(json, status: 201)
    }

    private static func checkLifetime(_ seconds: Int) throws(APIFailure) {
        let problem =
            seconds < 600
            ? "may not specify a duration less than 10 minutes"
            : seconds > 1 << 32 ? "may not specify a duration larger than 2^32 seconds" : nil
        guard let problem else { return }
        let type = ResourceType(group: "authentication.k8s.io", version: "v1", plural: "", kind: "TokenRequest")
        throw .invalid(type, "", [.invalid("spec.expirationSeconds", JSONValue(seconds), problem)])
    }

    /// The object that the token shall end with: it must be there, and be the one that is meant.
    private func boundObject(
        _ reference: JSONValue?, _ account: StoredEntry
    ) throws(APIFailure) -> IssuedToken.BoundObject? {
        guard let reference, !reference.isNull else { return nil }
        let kind = reference["kind"]?.string ?? ""
        let version = reference["apiVersion"]?.string ?? ""
        guard version == "v1", let type = [ResourceType.pods, .secrets].first(where: { $0.kind == kind }) else {
            let group = version.contains("/") ? version : "/\(version)"
            throw .badRequest("cannot bind token to object of type \(group), Kind=\(kind)")
        }
        let name = reference["name"]?.string ?? ""
        guard let object = entry(type, namespace: account.namespace, name: name) else { throw .notFound(type, name) }
        if type == .pods, object.json["spec", "serviceAccountName"]?.string != account.name {
            throw .badRequest(
                "cannot bind token for serviceaccount \"\(account.name)\" to pod running with different serviceaccount "
                    + "name.")
        }
        if let uid = reference["uid"]?.string, !uid.isEmpty, uid != object.uid {
            throw .conflict(
                type, name,
                "the UID in the bound object reference (\(uid)) does not match the UID in record. The object might have "
                    + "been deleted and then recreated")
        }
        return IssuedToken.BoundObject(type: type, name: name, uid: object.uid)
    }

    /// What a `TokenReview` is answered.
    func tokenStatus(_ token: String, _ spec: JSONValue, now: Timestamp) -> JSONValue {
        let asked = (spec["audiences"]?.array ?? []).compactMap(\.string)
        let audiences = asked.isEmpty ? options.apiAudiences : asked
        guard let issued = valid(token, for: audiences, now: now) else {
            return ["authenticated": false, "user": [:], "error": "[invalid bearer token, token lookup failed]"]
        }
        let user = UserInfo.serviceAccount(namespace: issued.namespace, name: issued.account)
        var told: JSONValue = [
            "username": .string(user.name), "uid": .string(issued.uid), "groups": JSONValue(user.groups),
        ]
        if let bound = issued.bound, bound.type == .pods {
            told["extra"] = [
                "authentication.kubernetes.io/pod-name": [.string(bound.name)],
                "authentication.kubernetes.io/pod-uid": [.string(bound.uid)],
            ]
        }
        return [
            "authenticated": true, "user": told,
            "audiences": JSONValue(issued.audiences.filter(audiences.contains)),
        ]
    }

    /// Whom a token that this server has issued for itself stands for; nil when it is unknown, for others, or has expired,
    /// or when its account or what it is bound to is gone.
    public func user(ofToken token: String, now: Timestamp) -> UserInfo? {
        valid(token, for: options.apiAudiences, now: now).map {
            .serviceAccount(namespace: $0.namespace, name: $0.account)
        }
    }

    private func valid(_ token: String, for audiences: [String], now: Timestamp) -> IssuedToken? {
        guard let issued = tokens[token], now < issued.expiry, issued.audiences.contains(where: audiences.contains),
            entry(.serviceAccounts, namespace: issued.namespace, name: issued.account)?.uid == issued.uid
        else { return nil }
        if let bound = issued.bound {
            guard entry(bound.type, namespace: issued.namespace, name: bound.name)?.uid == bound.uid else { return nil }
        }
        return issued
    }
}

/// What a service account's token stands for.
struct IssuedToken: Sendable, Hashable {
    struct BoundObject: Sendable, Hashable {
        var type: ResourceType
        var name: String
        var uid: String
    }

    var namespace: String
    var account: String
    var uid: String
    var audiences: [String]
    var bound: BoundObject?
    var issuedAt: Timestamp
    var expiry: Timestamp

    /// In the form of a JSON Web Token (RFC 7519), for clients that read its claims. This server knows it by the whole text,
    /// whose last part is a secret in the place of a signature.
    func text(issuer: String, secret: String) -> String {
        var kubernetes: JSONValue = [
            "namespace": .string(namespace), "serviceaccount": ["name": .string(account), "uid": .string(uid)],
        ]
        if let bound {
            kubernetes[bound.type.kind.lowercased()] = ["name": .string(bound.name), "uid": .string(bound.uid)]
        }
        let claims: JSONValue = [
            "aud": JSONValue(audiences), "exp": .integer(Self.seconds(expiry)), "iat": .integer(Self.seconds(issuedAt)),
            "nbf": .integer(Self.seconds(issuedAt)), "iss": .string(issuer), "kubernetes.io": kubernetes,
            "sub": .string("system:serviceaccount:\(namespace):\(account)"),
        ]
        let header: JSONValue = ["alg": "secret", "typ": "JWT"]
        return [header.serializedBytes(), claims.serializedBytes(), Array(secret.utf8)].map(Self.encode)
            .joined(separator: ".")
    }

    private static func seconds(_ moment: Timestamp) -> Int64 { moment.sinceEpoch.components.seconds }

    /// Base64 for URLs, without padding.
    private static func encode(_ bytes: [UInt8]) -> String {
        Base64.encode(bytes).replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }
}

extension UserInfo {
    /// A pod's identity.
    public static func serviceAccount(namespace: String, name: String) -> UserInfo {
        UserInfo(
            name: "system:serviceaccount:\(namespace):\(name)",
            groups: ["system:serviceaccounts", "system:serviceaccounts:\(namespace)", "system:authenticated"])
    }
}
