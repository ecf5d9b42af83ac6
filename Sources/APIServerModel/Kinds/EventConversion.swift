import JSON

/// Events are one resource under two groups with different field names (`pkg/apis/events/v1/conversion.go`).
enum EventConversion {
    private static let pairs: [(core: String, events: String)] = [
        ("involvedObject", "regarding"), ("message", "note"), ("source", "deprecatedSource"),
        ("firstTimestamp", "deprecatedFirstTimestamp"), ("lastTimestamp", "deprecatedLastTimestamp"),
        ("count", "deprecatedCount"), ("reportingComponent", "reportingController"),
    ]

    static func core(_ json: JSONValue) -> JSONValue {
        guard json["apiVersion"]?.string != "v1" else { return json }
        return renamed(json, apiVersion: "v1", pairs.map { ($0.events, $0.core) })
    }

    static func eventsV1(_ json: JSONValue) -> JSONValue {
        guard json["apiVersion"]?.string == "v1" else { return json }
        return renamed(json, apiVersion: "events.k8s.io/v1", pairs.map { ($0.core, $0.events) })
    }

    private static func renamed(_ json: JSONValue, apiVersion: String, _ names: [(String, String)]) -> JSONValue {
        var result = json
        result["apiVersion"] = .string(apiVersion)
        for (old, new) in names {
            guard let value = json[old] else { continue }
            result[old] = nil
            result[new] = value
        }
        return result
    }
}
