import FoundationEssentials
import JSON
import Testing

@testable import AssayGateway

/// The dashboard shows what is measured, and all of it.
@Suite struct DashboardTests {
    @Test func itAsksForEveryMetricAndForNoOther() throws {
        let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
        let text = try String(contentsOfFile: "/\(root)/manifests/dashboards/assay-gateway.json", encoding: .utf8)
        let panels = try JSONValue(parsing: text)["panels"]?.array ?? []
        var asked: Set<String> = []
        for panel in panels {
            for target in panel["targets"]?.array ?? [] {
                let words = (target["expr"]?.string ?? "").split { !($0.isLetter || $0.isNumber || $0 == "_") }
                for word in words where word.hasPrefix("assay_") {
                    asked.insert(word.hasSuffix("_bucket") ? String(word.dropLast(7)) : String(word))
                }
            }
        }
        #expect(asked == Set(GatewayMetrics.descriptions.keys))
    }
}
