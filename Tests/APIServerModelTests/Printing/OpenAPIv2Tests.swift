import JSON
import Testing

@testable import APIServerModel

@Suite struct OpenAPIv2Tests {
    @Test func `The wire format is that of Protocol Buffers`() {
        var writer = ProtobufWriter()
        writer.string(1, "ab")
        writer.string(2, "")
        writer.bool(3, true)
        writer.message(31) { $0.string(2, String(repeating: "x", count: 200)) }
        // The keys are field << 3 | type; 250 and 203 are 31 << 3 | 2 and 203 in base 128.
        #expect(writer.bytes.prefix(6) == [10, 2, 97, 98, 24, 1])
        #expect(writer.bytes.dropFirst(6).prefix(7) == [250, 1, 203, 1, 18, 200, 1])
        #expect(writer.bytes.count == 6 + 2 + 2 + 203)
    }

    @Test func `The document names the kinds and their operations`() {
        let bytes = OpenAPIv2.document(BuiltinKinds.all)
        let text = String(decoding: bytes, as: UTF8.self)
        #expect(text.hasPrefix("\n\u{03}2.0"))
        for expected in [
            "/apis/apps/v1/namespaces/{namespace}/deployments/{name}", "io.k8s.api.core.v1.PodSpec", "fieldValidation",
            "#/definitions/io.k8s.api.apps.v1.DeploymentSpec", "application/strategic-merge-patch+json",
            "[{\"group\":\"apps\",\"kind\":\"Deployment\",\"version\":\"v1\"}]",
        ] { #expect(text.contains(expected), "\(expected)") }
    }
}
