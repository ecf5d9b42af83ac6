import Concurrency

/// What a kubeconfig may do beyond naming a server and a user. Nothing of it, unless the caller trusts its author.
public struct KubeconfigTrust: Sendable {
    /// Runs the programs that it names; nil refuses a user with `exec`.
    public var plugins: (any CredentialPluginRunner)?
    /// Whether `as` and its like count; they are refused otherwise.
    public var allowsImpersonation: Bool

    /// Nothing is trusted unless told.
    public init(plugins: (any CredentialPluginRunner)? = nil, allowsImpersonation: Bool = false) {
        self.plugins = plugins
        self.allowsImpersonation = allowsImpersonation
    }
}

extension ClientConfiguration {
    /// Reads a kubeconfig. No program is run yet; files that certificates and keys are in must be there.
    ///
    /// - Parameters:
    ///   - path: one file; nil means those of `$KUBECONFIG`, separated by colons, or else `~/.kube/config`.
    ///   - context: which context; nil means the current one.
    ///   - time: when files are read again and programs run again.
    public static func kubeconfig(
        path: String? = nil, context: String? = nil, trust: KubeconfigTrust = KubeconfigTrust(),
        time: any TimeSource = SystemTime()
    ) throws(ConfigurationError) -> ClientConfiguration {
        try kubeconfig(path: path, context: context, trust: trust, time: time, .process)
    }

    static func kubeconfig(
        path: String?, context: String?, trust: KubeconfigTrust = KubeconfigTrust(),
        time: any TimeSource = SystemTime(), _ environment: Environment
    ) throws(ConfigurationError) -> ClientConfiguration {
        let merged = try load(path: path, environment)
        let files = merged.files.joined(separator: ":")
        guard let name = context ?? merged.currentContext else {
            throw ConfigurationError("kubeconfig \(files): there is no current-context, and none was named")
        }
        guard let entry = merged.contexts[name] else {
            let known = merged.contexts.keys.sorted().joined(separator: ", ")
            throw ConfigurationError(
                "kubeconfig \(files): there is no context \"\(name)\""
                    + (known.isEmpty ? "" : "; there are: \(known)"))
        }
        return try KubeconfigResolution(merged: merged, context: name, trust: trust, time: time).configuration(entry)
    }

    private static func load(path: String?, _ environment: Environment) throws(ConfigurationError) -> Kubeconfig {
        var merged = Kubeconfig()
        var candidates: [String] = []
        // Only files that were named one by one must be there.
        let mustExist = path != nil
        if let path {
            candidates = [path]
        } else if let list = environment["KUBECONFIG"] {
            candidates = list.split(separator: ":").map(String.init)
        } else if let home = environment["HOME"] {
            candidates = [home + "/.kube/config"]
        }
        for file in candidates {
            let bytes: [UInt8]
            do throws(FileReadError) {
                bytes = try readFile(file)
            } catch {
                if error.isMissing, !mustExist { continue }
                throw ConfigurationError("kubeconfig: \(error)")
            }
            try merged.add(file, bytes)
        }
        guard !merged.files.isEmpty else {
            throw ConfigurationError(
                "there is no kubeconfig: looked for "
                    + (candidates.isEmpty ? "$HOME" : candidates.joined(separator: ", ")))
        }
        return merged
    }
}
