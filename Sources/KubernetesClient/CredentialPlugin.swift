/// Runs the programs that a kubeconfig names for its credentials. Where a caller gives none, such a kubeconfig is
/// refused: only that of the operator's own is to be trusted with running programs.
public protocol CredentialPluginRunner: Sendable {
    /// Runs a program to its end and returns what it wrote to its standard output.
    ///
    /// There is no shell and no standard input; standard error goes where ours goes. When the task is cancelled the
    /// program is killed, with those that it has started.
    func run(_ invocation: CredentialPluginInvocation) async throws(CredentialPluginFailure) -> [UInt8]
}

/// How a plugin is to be run.
public struct CredentialPluginInvocation: Sendable, Hashable {
    /// A path where it contains a slash, and else a name to look for on `PATH`.
    public var command: String
    /// Without the command itself.
    public var arguments: [String]
    /// What is added to our own environment.
    public var environment: [String: String]
    /// The most bytes of output that are taken.
    public var outputLimit: Int

    /// How a plugin is to be run.
    public init(command: String, arguments: [String], environment: [String: String], outputLimit: Int) {
        self.command = command
        self.arguments = arguments
        self.environment = environment
        self.outputLimit = outputLimit
    }
}

/// Why a program gave nothing. Its output is in none of these: it may hold a credential.
public enum CredentialPluginFailure: Error, Sendable, Hashable, CustomStringConvertible {
    case notFound
    /// What the system said.
    case notStarted(String)
    case exited(Int)
    case killed(signal: Int)
    case tooMuchOutput(limit: Int)
    case cancelled

    /// What went wrong.
    public var description: String {
        switch self {
        case .notFound: "there is no such program"
        case .notStarted(let why): "it cannot be started: \(why)"
        case .exited(let code): "it ended with code \(code)"
        case .killed(let signal): "it was ended by signal \(signal)"
        case .tooMuchOutput(let limit): "it wrote more than \(limit) bytes"
        case .cancelled: "it was cancelled"
        }
    }
}
