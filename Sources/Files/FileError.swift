import Glibc

/// A file operation that failed: what was tried, on what, and the system's word for why.
public struct FileError: Error, Sendable, Hashable, CustomStringConvertible {
    public var operation: String
    public var path: String
    public var errorNumber: Int32

    public init(_ operation: String, _ path: String, _ errorNumber: Int32 = errno) {
        self.operation = operation
        self.path = path
        self.errorNumber = errorNumber
    }

    public var description: String { "\(operation) \(path): \(FileSystem.message(errorNumber))" }
}
