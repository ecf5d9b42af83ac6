import Concurrency
import HTTPTransport
import Logging

/// Passes the server's warnings (RFC 7234 §5.5, KEP-1693) on to the log, each text once.
final class ServerWarnings: Sendable {
    /// Texts remembered, and bytes of each. A server that has more to say says it in vain.
    static let maximumTexts = 256
    static let maximumLength = 1024

    private let logger: Logger
    private let seen = Locked<Set<String>>([])

    init(logger: Logger) { self.logger = logger }

    func note(_ headers: HTTPHeaders, operation: String) {
        for field in headers.values("Warning") {
            guard let text = Self.text(field) else { continue }
            let isNew = seen.withLock { $0.count < Self.maximumTexts && $0.insert(text).inserted }
            if isNew {
                logger.warning("the server warns", metadata: ["warning": "\(text)", "operation": "\(operation)"])
            }
        }
    }

    /// The text of `299 - "unknown field \"spec.foo\""`; nil for other codes and what cannot be read.
    static func text(_ field: String) -> String? {
        let parts = field.split(separator: " ", maxSplits: 2)
        guard parts.count == 3, parts[0] == "299", parts[2].first == "\"" else { return nil }
        var text = String.UnicodeScalarView()
        var isEscaped = false
        for scalar in parts[2].unicodeScalars.dropFirst() {
            if isEscaped || (scalar != "\"" && scalar != "\\") {
                isEscaped = false
                // No line of a log is the server's to begin.
                text.append(scalar.properties.generalCategory == .control ? " " : scalar)
                if text.count >= maximumLength { break }
            } else if scalar == "\\" {
                isEscaped = true
            } else {
                break
            }
        }
        return text.isEmpty ? nil : String(text)
    }
}
