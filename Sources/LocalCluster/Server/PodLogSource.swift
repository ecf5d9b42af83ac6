import APIServerModel
import KubernetesModel

/// Where the output of a node's containers is read: the node that runs in the same process.
public protocol PodLogSource: Sendable {
    /// Finds the output that is asked for.
    ///
    /// - Throws: ``PodLogError`` where there is none: no such container, or one that has not started.
    func podLogs(_ request: PodLogRequest) async throws -> PodLogOutput
}

/// A container's output, read once.
public struct PodLogOutput: Sendable {
    public typealias Writer = @Sendable ([UInt8]) async throws -> Void

    /// Passes the output to the writer piece by piece, and returns at its end; when following, at the container's end.
    public let write: @Sendable (_ writer: Writer) async throws -> Void

    public init(_ write: @escaping @Sendable (_ writer: Writer) async throws -> Void) { self.write = write }
}

/// Why there is no output, as the API answers it.
public struct PodLogError: Error, Sendable, Hashable, CustomStringConvertible {
    public var status: KubernetesStatus

    public init(_ status: KubernetesStatus) { self.status = status }

    public static func badRequest(_ message: String) -> PodLogError {
        PodLogError(KubernetesStatus(code: 400, reason: "BadRequest", message: message))
    }

    public var description: String { status.message }
}
