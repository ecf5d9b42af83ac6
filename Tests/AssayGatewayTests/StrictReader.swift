/// Reads requests as the strictest server would: the other opinion on where each begins and ends.
struct StrictReader {
    struct Request: Sendable, Hashable {
        var line: String
        var fields: [String]
        var body: [UInt8]
        var trailers: [String]

        var method: String { line.split(separator: " ").first.map(String.init) ?? "" }
        var target: String { line.split(separator: " ").dropFirst().first.map(String.init) ?? "" }
        var text: String { String(decoding: body, as: UTF8.self) }

        func values(_ name: String) -> [String] {
            fields.filter { $0.lowercased().hasPrefix(name.lowercased() + ":") }
                .map { String($0.dropFirst(name.utf8.count + 1).drop { $0 == " " }) }
        }
    }

    private var bytes: [UInt8] = []
    /// What is wrong with what came; nil while all is well.
    private(set) var fault: String?

    /// Nothing of another request has come.
    var isAtRest: Bool { bytes.isEmpty }

    /// Takes bytes, and returns the requests that are whole now.
    mutating func take(_ more: some Sequence<UInt8>) -> [Request] {
        bytes += more
        var requests: [Request] = []
        while fault == nil, let (request, count) = next() {
            requests.append(request)
            bytes.removeFirst(count)
        }
        return requests
    }

    private mutating func next() -> (Request, Int)? {
        guard let head = lines(from: 0) else { return nil }
        guard let line = head.lines.first, line.split(separator: " ", omittingEmptySubsequences: false).count == 3,
            line.hasSuffix(" HTTP/1.1")
        else { return fail("request line") }
        var request = Request(line: line, fields: Array(head.lines.dropFirst()), body: [], trailers: [])
        guard request.fields.allSatisfy(Self.isField) else { return fail("field") }
        let (lengths, codings) = (request.values("content-length"), request.values("transfer-encoding"))
        guard request.values("host").count == 1, lengths.count + codings.count <= 1 else { return fail("framing") }
        if let length = lengths.first {
            guard let count = Int(length), count >= 0 else { return fail("length") }
            guard bytes.count >= head.end + count else { return nil }
            request.body = Array(bytes[head.end..<(head.end + count)])
            return (request, head.end + count)
        }
        if codings.isEmpty { return (request, head.end) }
        guard codings == ["chunked"] else { return fail("coding") }
        return chunked(&request, from: head.end).map { (request, $0) }
    }

    private mutating func chunked(_ request: inout Request, from start: Int) -> Int? {
        var position = start
        while true {
            guard let (line, next) = self.line(from: position) else { return nil }
            guard let size = Int(line, radix: 16), size >= 0 else { return fail("chunk size") }
            if size == 0 {
                guard let trailers = lines(from: next, mayBeEmpty: true) else { return nil }
                request.trailers = trailers.lines
                return trailers.end
            }
            guard bytes.count >= next + size + 2 else { return nil }
            request.body += bytes[next..<(next + size)]
            guard bytes[next + size] == 13, bytes[next + size + 1] == 10 else { return fail("chunk end") }
            position = next + size + 2
        }
    }

    private func line(from start: Int) -> (String, Int)? {
        guard start < bytes.count, let feed = bytes[start...].firstIndex(of: 10), feed > start, bytes[feed - 1] == 13
        else { return nil }
        return (String(decoding: bytes[start..<(feed - 1)], as: UTF8.self), feed + 1)
    }

    private func lines(from start: Int, mayBeEmpty: Bool = false) -> (lines: [String], end: Int)? {
        var result: [String] = []
        var position = start
        while let (line, next) = line(from: position) {
            position = next
            if line.isEmpty { return (result, position) }
            result.append(line)
        }
        return nil
    }

    private static func isField(_ line: String) -> Bool {
        guard let colon = line.utf8.firstIndex(of: UInt8(ascii: ":")), colon > line.startIndex else { return false }
        let name = line.utf8[..<colon]
        return name.allSatisfy { $0 > 32 && $0 < 127 } && !line.utf8.contains { $0 < 32 && $0 != 9 }
    }

    private mutating func fail<Result>(_ what: String) -> Result? {
        fault = what
        return nil
    }
}
