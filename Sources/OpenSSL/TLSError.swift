internal import COpenSSL

/// What OpenSSL refused to do, and why.
public struct TLSError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What was tried: "handshake as server", "read the private key".
    public var operation: String
    /// What OpenSSL said, the first cause first.
    public var reasons: [String]

    public init(_ operation: String, _ reasons: [String]) {
        self.operation = operation
        self.reasons = reasons
    }

    public var description: String {
        reasons.isEmpty ? "\(operation): failed" : "\(operation): \(reasons.joined(separator: "; "))"
    }

    /// Empties the calling thread's error queue into an error; to be called right after the call that failed.
    static func drain(_ operation: String) -> TLSError {
        var reasons: [String] = []
        while case let code = ERR_get_error(), code != 0 {
            var text = [CChar](repeating: 0, count: 256)
            ERR_error_string_n(code, &text, text.count)
            // "error:0A000086:SSL routines::certificate verify failed": the number says nothing to a reader.
            let full = String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            let parts = full.split(separator: ":", omittingEmptySubsequences: true)
            reasons.append(parts.count > 2 ? parts.dropFirst(2).joined(separator: ": ") : full)
        }
        return TLSError(operation, reasons)
    }
}

/// Runs a call that returns 1 for success, with the error queue cleared before and drained after.
func check(_ operation: String, _ call: () -> Int32) throws(TLSError) {
    ERR_clear_error()
    guard call() == 1 else { throw TLSError.drain(operation) }
}
