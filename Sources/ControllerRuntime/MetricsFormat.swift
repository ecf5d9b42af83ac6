/// How metrics are written.
public enum MetricsFormat: String, Sendable, Hashable, CaseIterable {
    /// Prometheus' text exposition format 0.0.4.
    case text
    /// OpenMetrics 1.0.0.
    case openMetrics

    /// What an answer in this format says that it is.
    public var contentType: String {
        switch self {
        case .text: "text/plain; version=0.0.4; charset=utf-8"
        case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
        }
    }

    /// What the client likes best by its Accept header, as RFC 9110 weighs it: text, unless OpenMetrics 1.0.0 or 0.0.1,
    /// the versions that Prometheus asks for, is named and liked at least as well.
    public init(accept: String?) {
        var text = 0.0
        var openMetrics = 0.0
        for range in (accept ?? "").split(separator: ",") {
            let parts = range.split(separator: ";").map { String($0.filter { $0 != " " && $0 != "\t" }).lowercased() }
            guard let type = parts.first else { continue }
            let parameters = parts.dropFirst()
            let weight = parameters.first { $0.hasPrefix("q=") }.flatMap { Double($0.dropFirst(2)) } ?? 1
            let version = parameters.first { $0.hasPrefix("version=") }.map { String($0.dropFirst(8)) }
            switch type {
            case "application/openmetrics-text" where [nil, "1.0.0", "0.0.1"].contains(version):
                openMetrics = max(openMetrics, weight)
            case "text/plain": text = max(text, weight)
            default: break
            }
        }
        self = openMetrics > 0 && openMetrics >= text ? .openMetrics : .text
    }
}
