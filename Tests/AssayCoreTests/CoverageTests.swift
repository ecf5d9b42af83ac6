import JSON
import Testing

@testable import AssayCore

@Suite struct CoverageTests {
    struct Case: Sendable {
        var live: String
        var wanted: String
        var covers: Bool
    }

    static let cases: [Case] = [
        .init(live: #"{"a":1,"b":2}"#, wanted: #"{"a":1}"#, covers: true),
        .init(live: #"{"a":1}"#, wanted: #"{"a":2}"#, covers: false),
        .init(live: #"{}"#, wanted: #"{"a":{"b":1}}"#, covers: false),
        .init(live: #"{}"#, wanted: #"{"a":"","b":[],"c":{},"d":false,"e":0,"f":null,"g":{"h":[]}}"#, covers: true),
        .init(live: #"{"cpu":"1","memory":"1Gi"}"#, wanted: #"{"cpu":"1000m","memory":"1024Mi"}"#, covers: true),
        .init(live: #"{"cpu":"1"}"#, wanted: #"{"cpu":1}"#, covers: true),
        .init(live: #"{"cpu":"1"}"#, wanted: #"{"cpu":"2"}"#, covers: false),
        .init(
            live: #"{"containers":[{"name":"injected"},{"name":"a","image":"x","tty":true}]}"#,
            wanted: #"{"containers":[{"name":"a","image":"x"}]}"#, covers: true),
        .init(
            live: #"{"containers":[{"name":"b","image":"x"}]}"#, wanted: #"{"containers":[{"name":"a","image":"x"}]}"#,
            covers: false),
        .init(live: #"{"command":["a","b","c"]}"#, wanted: #"{"command":["a","b"]}"#, covers: false),
        .init(live: #"{"image":"1"}"#, wanted: #"{"image":"a"}"#, covers: false),
    ]

    @Test(arguments: cases)
    func aServersOwnAdditionsAreNoDrift(_ example: Case) throws {
        let live = try JSONValue(parsing: example.live)
        let wanted = try JSONValue(parsing: example.wanted)
        #expect(Coverage.covers(live, wanted) == example.covers, "\(live) \(wanted)")
    }
}

@Suite struct ImageReferenceTests {
    @Test(arguments: [
        ("wine", "wine"), ("wine:1.4", "wine"), ("registry.local:5000/ml/wine", "registry.local:5000/ml/wine"),
        ("registry.local:5000/ml/wine:1.4", "registry.local:5000/ml/wine"),
        ("registry.local/wine:1.4@sha256:" + String(repeating: "a", count: 64), "registry.local/wine"),
    ])
    func aRepositoryHasNoTag(image: String, repository: String) {
        #expect(ImageReference(image).repository == repository)
    }

    @Test(arguments: [
        ("registry.local/wine@sha256:" + String(repeating: "a", count: 64), true),
        ("docker-pullable://registry.local/wine@sha256:" + String(repeating: "a", count: 64), true),
        ("sha256:" + String(repeating: "a", count: 64), false),
        ("docker://sha256:" + String(repeating: "a", count: 64), false),
        ("wine@sha256:" + String(repeating: "A", count: 64), false), ("wine@sha256:abc", false), ("", false),
        ("@", false),
    ])
    func onlyADigestAfterAnAtCounts(imageID: String, pins: Bool) {
        #expect((ImageReference.digest(in: imageID) != nil) == pins)
    }
}
