import Glibc
import JSON

/// The real API server's record of requests, read as it grows.
actor AuditLog {
    private let path: String
    private var offset: off_t = 0
    /// Of a line whose end is not there yet.
    private var beginning: [UInt8] = []
    private var counts: [RequestRecord: Int] = [:]

    init(path: String) { self.path = path }

    /// All requests that were answered until now. A watch counts when it ends.
    func requests() throws -> [RequestRecord: Int] {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { throw TestClusterError("open \(path): \(String(cString: strerror(errno)))") }
        defer { close(file) }
        var buffer = [UInt8](repeating: 0, count: 1 << 20)
        while true {
            let count = pread(file, &buffer, buffer.count, offset)
            guard count >= 0 else { throw TestClusterError("read \(path): \(String(cString: strerror(errno)))") }
            if count == 0 { return counts }
            offset += off_t(count)
            var lines = (beginning + buffer[..<count]).split(
                separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            beginning = Array(lines.removeLast())
            for line in lines where !line.isEmpty {
                if let record = RequestRecord(audit: try JSONValue(parsing: Array(line))) {
                    counts[record, default: 0] += 1
                }
            }
        }
    }
}

extension RequestRecord {
    /// Reads an Event of `audit.k8s.io/v1`; nil for a request that is about no object.
    init?(audit event: JSONValue) {
        guard let reference = event["objectRef"], let plural = reference["resource"]?.string,
            let user = event["user", "username"]?.string, let verb = event["verb"]?.string,
            let code = event["responseStatus", "code"]?.int
        else { return nil }
        let group = reference["apiGroup"]?.string ?? ""
        let subresource = reference["subresource"]?.string
        let type = group.isEmpty ? plural : "\(plural).\(group)"
        self.init(
            user: user, agent: String((event["userAgent"]?.string ?? "").prefix { $0 != "/" }), verb: verb,
            resource: subresource.map { "\(type)/\($0)" } ?? type, namespace: reference["namespace"]?.string,
            code: code)
    }
}
