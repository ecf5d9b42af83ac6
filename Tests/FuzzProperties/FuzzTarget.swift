/// What is fuzzed: a reader of bytes from outside, and what must hold whatever the bytes are.
public enum FuzzTarget: String, CaseIterable, Sendable {
    case json
    case watch
    case kubeconfig
    case quantity
    case cron
    case tzif

    /// Throws a `BrokenProperty` where the bytes show one. A crash is the other way to fail.
    public func check(_ input: [UInt8]) async throws {
        switch self {
        case .json: try JSONProperties.check(input)
        case .watch: try await WatchProperties.check(input)
        case .kubeconfig: try KubeconfigProperties.check(input)
        case .quantity: try QuantityProperties.check(input)
        case .cron: try CronProperties.check(input)
        case .tzif: try TZifProperties.check(input)
        }
    }
}

/// A law that some input breaks.
public struct BrokenProperty: Error, CustomStringConvertible {
    public let description: String

    init(_ law: String, _ evidence: [Any]) {
        description = ([law] + evidence.map { "  \($0)" }).joined(separator: "\n")
    }
}

/// Throws unless the law holds.
func hold(_ law: String, _ holds: Bool, _ evidence: @autoclosure () -> [Any]) throws(BrokenProperty) {
    if !holds { throw BrokenProperty(law, evidence()) }
}
