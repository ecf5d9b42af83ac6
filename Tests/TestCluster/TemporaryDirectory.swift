import FoundationEssentials
import Testing

/// A directory that is gone afterwards.
public struct TemporaryDirectory: Sendable {
    public let path: String

    public init() throws {
        path = "/tmp/assay-story-\(UInt64.random(in: .min ... .max))"
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    }

    public func remove() {
        do {
            try FileManager.default.removeItem(atPath: path)
        } catch {
            Issue.record("\(path) cannot be removed: \(error)")
        }
    }
}
