import JSON
import KubernetesModel

extension APIServer {
    /// Answers the kinds that are posted and never stored; nil for all others.
    func review(_ request: ResourceRequest, _ context: RequestContext) throws(APIFailure) -> APIResponse? {
        switch (request.type.group, request.type.kind) {
        case ("authorization.k8s.io", "SelfSubjectRulesReview"):
            var json = try body(request, context)
            guard let namespace = json["spec", "namespace"]?.string, !namespace.isEmpty else {
                throw .badRequest("no namespace on request")
            }
            json["status"] = [
                "incomplete": false, "nonResourceRules": [], "resourceRules": rulesDocument(context.user, namespace),
            ]
            return Self.json(json, status: 201)
        case ("authorization.k8s.io", let kind):
            var json = try body(request, context)
            let spec = json["spec"] ?? [:]
            try checkReview(spec, request.type)
            let user =
                kind == "SelfSubjectAccessReview"
                ? context.user
                : UserInfo(
                    name: spec["user"]?.string ?? "", groups: (spec["groups"]?.array ?? []).compactMap(\.string))
            json["status"] = ["allowed": .bool(isAllowed(spec, user))]
            return Self.json(json, status: 201)
        case ("authentication.k8s.io", "SelfSubjectReview"):
            var json = try body(request, context)
            json["status"] = [
                "userInfo": ["username": .string(context.user.name), "groups": JSONValue(context.user.groups)]
            ]
            return Self.json(json, status: 201)
        case ("authentication.k8s.io", "TokenReview"):
            var json = try body(request, context)
            guard let token = json["spec", "token"]?.string, !token.isEmpty else {
                throw .badRequest("token is required for TokenReview in authentication")
            }
            json["status"] = tokenStatus(token, json["spec"] ?? [:], now: context.now)
            return Self.json(json, status: 201)
        default: return nil
        }
    }

    private func checkReview(_ spec: JSONValue, _ type: ResourceType) throws(APIFailure) {
        var errors: [FieldError] = []
        if (spec["resourceAttributes"] == nil) == (spec["nonResourceAttributes"] == nil) {
            errors.append(
                .invalid(
                    "spec.resourceAttributes", .null,
                    "exactly one of nonResourceAttributes or resourceAttributes must be specified"))
        }
        if type.kind != "SelfSubjectAccessReview", spec["user"]?.string ?? "" == "",
            (spec["groups"]?.array ?? []).isEmpty
        {
            errors.append(.invalid("spec.user", "", "at least one of user or group must be specified"))
        }
        if !errors.isEmpty { throw .invalid(type, "", errors) }
    }

    private func isAllowed(_ spec: JSONValue, _ user: UserInfo) -> Bool {
        guard let attributes = spec["resourceAttributes"] else { return isSuper(user) }
        func text(_ field: String) -> String? {
            guard let text = attributes[field]?.string, !text.isEmpty else { return nil }
            return text
        }
        return isAllowed(
            AuthorizationRequest(
                user: user, verb: text("verb") ?? "", group: text("group") ?? "", resource: text("resource") ?? "",
                subresource: text("subresource"), namespace: text("namespace"), name: text("name")))
    }

    private func isSuper(_ user: UserInfo) -> Bool {
        if case .allowAll = options.authorization { return true }
        return user.groups.contains("system:masters")
    }

    private func rulesDocument(_ user: UserInfo, _ namespace: String?) -> JSONValue {
        if isSuper(user) {
            return [["verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]]]
        }
        return .array(
            rules(for: user, in: namespace).map { rule in
                var json: JSONValue = [
                    "verbs": JSONValue(rule.verbs), "apiGroups": JSONValue(rule.groups),
                    "resources": JSONValue(rule.resources),
                ]
                if !rule.names.isEmpty { json["resourceNames"] = JSONValue(rule.names) }
                return json
            })
    }
}
