import HTTPTransport

/// A server's URL in its parts, checked.
struct ServerAddress: Sendable, Hashable {
    var isTLS: Bool
    /// As in a URL, so an IPv6 address stands in brackets.
    var host: String
    var port: Int
    /// Before every target; empty or beginning with a slash.
    var prefix: String

    init(_ url: String) throws(HTTPTransportError) {
        func refuse(_ why: String) -> HTTPTransportError {
            HTTPTransportError(.invalidRequest, detail: "the server's URL \(why)")
        }
        guard url.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw refuse("contains a space, a control character or one that is not ASCII")
        }
        let rest: Substring
        if url.hasPrefix("https://") {
            (isTLS, rest) = (true, url.dropFirst(8))
        } else if url.hasPrefix("http://") {
            (isTLS, rest) = (false, url.dropFirst(7))
        } else {
            throw refuse("begins neither with https:// nor with http://")
        }
        guard !rest.contains(where: { "@?#\\\"<>^`{|}".contains($0) }) else {
            throw refuse("has more than a host, a port and a path")
        }
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        var path = rest[slash...]
        while path.last == "/" { path.removeLast() }
        prefix = String(path)
        let (host, port) = try Self.split(rest[..<slash], refuse)
        self.host = host
        self.port = port ?? (isTLS ? 443 : 80)
    }

    private static func split(
        _ authority: Substring, _ refuse: (String) -> HTTPTransportError
    ) throws(HTTPTransportError) -> (String, Int?) {
        var hostEnd = authority.firstIndex(of: ":") ?? authority.endIndex
        if authority.first == "[" {
            guard let bracket = authority.firstIndex(of: "]") else { throw refuse("has an open bracket") }
            hostEnd = authority.index(after: bracket)
        }
        let host = String(authority[..<hostEnd])
        guard !host.isEmpty, host != "[]" else { throw refuse("has no host") }
        let port = authority[hostEnd...]
        if port.isEmpty { return (host, nil) }
        guard port.first == ":", let number = Int(port.dropFirst()), (1...65_535).contains(number) else {
            throw refuse("has a port that is not one")
        }
        return (host, number)
    }

    /// The authority of `Host` and of URLs; the port is left out where it is the scheme's own.
    var authority: String { port == (isTLS ? 443 : 80) ? host : "\(host):\(port)" }

    func url(host: String, target: String) -> String {
        "\(isTLS ? "https" : "http")://\(host):\(port)\(prefix)\(target)"
    }
}
