import KubernetesClient
import Subprocess

#if canImport(Glibc)
import Glibc
#else
import Musl
#endif

/// Runs credential plugins as child processes, each in a process group of its own.
public struct SubprocessPluginRunner: CredentialPluginRunner {
    /// Where programs without a slash in their name are looked for: colon-separated directories.
    private let searchPath: String
    /// How long a program that is to end may take for it.
    private let grace: Duration

    public init() { self.init(searchPath: getenv("PATH").map { String(cString: $0) } ?? "") }

    init(searchPath: String, grace: Duration = .seconds(1)) {
        self.searchPath = searchPath
        self.grace = grace
    }

    public func run(_ invocation: CredentialPluginInvocation) async throws(CredentialPluginFailure) -> [UInt8] {
        guard let path = find(invocation.command) else { throw .notFound }
        var options = PlatformOptions()
        options.processGroupID = 0
        options.teardownSequence = [.gracefulShutDown(toProcessGroup: true, allowedDurationToNextStep: grace)]
        var variables: [Environment.Key: String?] = [:]
        for (name, value) in invocation.environment {
            guard let key = Environment.Key(rawValue: name) else { continue }
            variables[key] = value
        }
        do {
            let result = try await Subprocess.run(
                .path(Self.filePath(path)), arguments: Arguments(invocation.arguments),
                environment: .inherit.updating(variables), platformOptions: options, input: .none,
                output: .bytes(limit: invocation.outputLimit),
                error: .currentStandardError)
            if Task.isCancelled { throw CredentialPluginFailure.cancelled }
            switch result.terminationStatus {
            case .exited(0): return result.standardOutput
            case .exited(let code): throw CredentialPluginFailure.exited(Int(code))
            case .signaled(let signal): throw CredentialPluginFailure.killed(signal: Int(signal))
            }
        } catch {
            throw Self.failure(error, invocation)
        }
    }

    /// The path type belongs to a package of Subprocess's own; its literal is the one way to it without naming that.
    private static func filePath<Path: ExpressibleByStringLiteral>(
        _ text: String
    ) -> Path where Path.StringLiteralType == String {
        Path(stringLiteral: text)
    }

    private static func failure(
        _ error: any Error, _ invocation: CredentialPluginInvocation
    ) -> CredentialPluginFailure {
        if Task.isCancelled || error is CancellationError { return .cancelled }
        switch error {
        case let failure as CredentialPluginFailure: return failure
        case let error as SubprocessError where error.code == .outputLimitExceeded:
            return .tooMuchOutput(limit: invocation.outputLimit)
        case let error as SubprocessError where error.code == .executableNotFound: return .notFound
        default: return .notStarted("\(error)")
        }
    }

    /// Directories of the search path that are not absolute do not count: they would mean the current one.
    private func find(_ command: String) -> String? {
        if command.contains("/") { return isProgram(command) ? command : nil }
        for directory in searchPath.split(separator: ":") where directory.hasPrefix("/") {
            let path = "\(directory)/\(command)"
            if isProgram(path) { return path }
        }
        return nil
    }

    private func isProgram(_ path: String) -> Bool {
        var status = stat()
        return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG && access(path, X_OK) == 0
    }
}
