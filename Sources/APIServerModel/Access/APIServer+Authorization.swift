import JSON
import KubernetesModel

extension APIServer {
    func authorize(
        _ request: ResourceRequest, _ target: RequestTarget, user: UserInfo
    ) throws(APIFailure) {
        let question = AuthorizationRequest(
            user: user, verb: request.verb.rawValue, group: request.type.group, resource: request.type.plural,
            subresource: request.subresource, namespace: Self.scope(of: request),
            name: request.name ?? Self.selectedName(target))
        guard !isAllowed(question) else { return }
        let resource = question.subresource.map { "\(question.resource)/\($0)" } ?? question.resource
        let place = question.namespace.map { "in the namespace \"\($0)\"" } ?? "at the cluster scope"
        throw .forbidden(
            request.type, request.name ?? "",
            "User \"\(user.name)\" cannot \(question.verb) resource \"\(resource)\" in API group "
                + "\"\(question.group)\" \(place)")
    }

    /// The role that everything may be bound to, as every cluster has it.
    mutating func createAdministrators() {
        let version: JSONValue = "rbac.authorization.k8s.io/v1"
        func create(_ kind: String, _ plural: String, _ fields: JSONValue) {
            guard let resource = registry["rbac.authorization.k8s.io", "v1", plural] else { return }
            let json: JSONValue = [
                "apiVersion": version, "kind": .string(kind),
                "metadata": [
                    "name": "cluster-admin", "uid": .string(generator.uid()),
                    "creationTimestamp": .string(now.truncatedToSeconds.description),
                    "labels": ["kubernetes.io/bootstrapping": "rbac-defaults"],
                ],
            ]
            store(json.merging(patch: fields), resource, previous: nil)
        }
        create(
            "ClusterRole", "clusterroles",
            [
                "rules": [
                    ["apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]],
                    ["nonResourceURLs": ["*"], "verbs": ["*"]],
                ]
            ])
        create(
            "ClusterRoleBinding", "clusterrolebindings",
            [
                "roleRef": ["apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"],
                "subjects": [
                    ["apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": "system:masters"]
                ],
            ])
    }

    /// A write that turns out to create needs the right to create.
    func authorizeCreation(_ request: ResourceRequest, _ context: RequestContext) throws(APIFailure) {
        var creation = request
        creation.verb = .create
        try authorize(creation, context.target, user: context.user)
    }

    /// The only name that a list or watch can show, which is then authorized as that name.
    private static func selectedName(_ target: RequestTarget) -> String? {
        let prefix = "metadata.name="
        guard let text = target.value("fieldSelector"), text.hasPrefix(prefix), !text.contains(",") else { return nil }
        let name = text.dropFirst(prefix.count)
        return name.isEmpty || name.hasPrefix("=") ? nil : String(name)
    }

    /// A namespace is itself in its own scope.
    private static func scope(of request: ResourceRequest) -> String? {
        request.type == .namespaces ? request.name : request.namespace
    }

    /// Whether the rules allow what is asked.
    public func isAllowed(_ question: AuthorizationRequest) -> Bool {
        switch options.authorization {
        case .allowAll: true
        case .custom(let isAllowed): isAllowed(question)
        case .rbac:
            ["system:masters", "system:nodes"].contains { question.user.groups.contains($0) }
                || Self.isOwnReview(question)
                || rules(for: question.user, in: question.namespace).contains { $0.allows(question) }
        }
    }

    /// Everybody may ask what he may do (`system:basic-user`).
    private static func isOwnReview(_ question: AuthorizationRequest) -> Bool {
        question.verb == "create" && question.resource.hasPrefix("selfsubject")
            && ["authorization.k8s.io", "authentication.k8s.io"].contains(question.group)
    }

    /// The rules that bind to a user, of the cluster and of one namespace.
    func rules(for user: UserInfo, in namespace: String?) -> [AccessRule] {
        let group = "rbac.authorization.k8s.io"
        func type(_ plural: String, _ kind: String, _ isNamespaced: Bool) -> ResourceType {
            ResourceType(group: group, version: "v1", plural: plural, kind: kind, isNamespaced: isNamespaced)
        }
        let roles = type("roles", "Role", true)
        let clusterRoles = type("clusterroles", "ClusterRole", false)
        var result: [AccessRule] = []
        func add(_ binding: StoredEntry) {
            let subjects = binding.json["subjects"]?.array ?? []
            guard subjects.contains(where: { Self.names($0, user, binding.namespace) }) else { return }
            let name = binding.json["roleRef", "name"]?.string ?? ""
            let isCluster = binding.json["roleRef", "kind"]?.string == "ClusterRole"
            let role =
                isCluster
                ? entry(clusterRoles, name: name) : entry(roles, namespace: binding.namespace, name: name)
            result += (role?.json["rules"]?.array ?? []).map(AccessRule.init)
        }
        for binding in entries(type("clusterrolebindings", "ClusterRoleBinding", false)) { add(binding) }
        if let namespace {
            for binding in entries(type("rolebindings", "RoleBinding", true), namespace: namespace) { add(binding) }
        }
        return result
    }

    private static func names(_ subject: JSONValue, _ user: UserInfo, _ namespace: String?) -> Bool {
        let name = subject["name"]?.string ?? ""
        switch subject["kind"]?.string {
        case "User": return name == user.name || name == "*"
        case "Group": return user.groups.contains(name)
        case "ServiceAccount":
            let account = subject["namespace"]?.string ?? namespace ?? ""
            return user.name == "system:serviceaccount:\(account):\(name)"
        default: return false
        }
    }
}

/// `rbac.authorization.k8s.io/v1` PolicyRule.
struct AccessRule: Sendable, Hashable {
    var verbs: [String]
    var groups: [String]
    var resources: [String]
    var names: [String]

    init(_ json: JSONValue) {
        func strings(_ field: String) -> [String] { (json[field]?.array ?? []).compactMap(\.string) }
        verbs = strings("verbs")
        groups = strings("apiGroups")
        resources = strings("resources")
        names = strings("resourceNames")
    }

    func allows(_ question: AuthorizationRequest) -> Bool {
        guard verbs.contains("*") || verbs.contains(question.verb) else { return false }
        guard groups.contains("*") || groups.contains(question.group) else { return false }
        let resource = question.subresource.map { "\(question.resource)/\($0)" } ?? question.resource
        let matches = resources.contains { rule in
            rule == "*" || rule == resource || (question.subresource.map { rule == "*/\($0)" } ?? false)
        }
        return matches && (names.isEmpty || question.name.map(names.contains) ?? false)
    }
}
