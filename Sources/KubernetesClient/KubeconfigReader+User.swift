import JSON

extension KubeconfigReader {
    /// A token or a password. As in client-go a file goes before the token beside it.
    func staticCredentials() throws(ConfigurationError) -> Credentials {
        if entry.cursor["auth-provider"].exists {
            throw failure(
                "auth-provider",
                "was removed from Kubernetes 1.26; use the exec plugin of the same provider (gke-gcloud-auth-plugin, "
                    + "kubelogin), a token or a client certificate")
        }
        let token = try string("token")
        let file = try string("tokenFile")
        let username = try string("username")
        let password = try string("password")
        if username != nil || password != nil {
            guard token == nil, file == nil else {
                throw failure("username", "stands beside a token, and only one can count")
            }
            guard let username else { throw failure("username", "is missing beside the password") }
            return .basic(username: username, password: Secret(password ?? ""))
        }
        if let file { return .tokenFile(path: resolve(file)) }
        return token.map { .token($0) } ?? .none
    }

    func clientCertificate() throws(ConfigurationError) -> (
        RotatingCertificates.Origin?, RotatingCertificates.Origin?
    ) {
        let certificate = try origin("client-certificate")
        let key = try origin("client-key")
        guard (certificate == nil) == (key == nil) else {
            throw failure(certificate == nil ? "client-certificate" : "client-key", "is missing beside its counterpart")
        }
        return (certificate, key)
    }

    func impersonation() throws(ConfigurationError) -> Impersonation? {
        let parts = try shape { () throws(JSONShapeError) in
            var extra: [String: [String]] = [:]
            for key in (try entry.cursor["as-user-extra"].optionalObject() ?? [:]).keys {
                extra[key] = try entry.cursor["as-user-extra"][key].strings()
            }
            return (groups: try entry.cursor["as-groups"].strings(), extra: extra)
        }
        let uid = try string("as-uid")
        guard let user = try string("as") else {
            guard uid == nil, parts.groups.isEmpty, parts.extra.isEmpty else {
                throw failure("as", "is missing beside its groups, uid or extra")
            }
            return nil
        }
        return Impersonation(user: user, groups: parts.groups, uid: uid, extra: parts.extra)
    }

    /// - Parameter cluster: what the program is told of the cluster where it wants to know.
    func execPlugin(
        _ cluster: () throws(ConfigurationError) -> JSONValue
    ) throws(ConfigurationError) -> ExecPlugin? {
        let exec = entry.cursor["exec"]
        guard exec.exists else { return nil }
        var plugin = try shape { () throws(JSONShapeError) in
            _ = try exec.object()
            let command = try exec["command"].string()
            guard !command.isEmpty else { throw exec["command"].failure("is empty") }
            var plugin = ExecPlugin(
                command: command.contains("/") ? resolve(command) : command, version: try Self.version(exec))
            plugin.arguments = try exec["args"].strings()
            for variable in try exec["env"].elements() {
                plugin.environment[try variable["name"].string()] = try variable["value"].string()
            }
            plugin.installHint = try exec["installHint"].optionalString()
            try Self.checkMode(exec, plugin.version)
            return plugin
        }
        if try shape({ () throws(JSONShapeError) in try exec["provideClusterInfo"].optionalBool() ?? false }) {
            plugin.cluster = try cluster()
        }
        return plugin
    }

    private static func version(_ exec: JSONCursor) throws(JSONShapeError) -> ExecPlugin.Version {
        let name = try exec["apiVersion"].string()
        guard let version = ExecPlugin.Version(rawValue: name) else {
            let known = ExecPlugin.Version.allCases.map(\.rawValue).joined(separator: " or ")
            throw exec["apiVersion"].failure("must be \(known), not \"\(name)\"")
        }
        return version
    }

    /// Nobody sits before us to be asked.
    private static func checkMode(_ exec: JSONCursor, _ version: ExecPlugin.Version) throws(JSONShapeError) {
        switch try exec["interactiveMode"].optionalString() {
        case "Never", "IfAvailable": return
        case nil where version == .v1beta1: return
        case nil: throw exec["interactiveMode"].failure("is required: Never or IfAvailable")
        case "Always":
            throw exec["interactiveMode"].failure(
                "is Always, but nobody can be asked here; log in with other credentials")
        case let mode?: throw exec["interactiveMode"].failure("must be Never or IfAvailable, not \"\(mode)\"")
        }
    }
}
