import OpenSSL
import Testing

@testable import ArtifactStore

@Suite struct ArtifactReferenceTests {
    @Test(
        arguments: [
            ("file:///srv/models", "file:///srv/models", nil),
            ("file:///srv/models:wine", "file:///srv/models", "wine"),
            ("file:///srv/a:b/models", "file:///srv/a:b/models", nil),
            ("file:///srv/models/", "file:///srv/models", nil),
            ("oci://registry.local/wine", "oci://registry.local/wine", nil),
            ("oci://registry.local:5000/a/wine", "oci://registry.local:5000/a/wine", nil),
            ("oci://registry.local:5000/a/wine:1.0", "oci://registry.local:5000/a/wine", "1.0"),
            ("oci://[::1]:5000/wine:x", "oci://[::1]:5000/wine", "x"),
            ("s3://models", "s3://models", nil), ("s3://models:wine", "s3://models", "wine"),
            ("s3://my.models-1/", "s3://my.models-1", nil), ("s3://models/a/b/:x", "s3://models/a/b", "x"),
            ("s3://models/a b/Übung+%41", "s3://models/a b/Übung+%41", nil),
            ("s3://models/a:b/c:x", "s3://models/a:b/c", "x"), ("s3://1.2.3.4.5", "s3://1.2.3.4.5", nil),
        ] as [(String, String, String?)]) func isRead(_ text: String, _ place: String, _ tag: String?) throws
    {
        let reference = try ArtifactReference(text)
        #expect(reference.place.description == place)
        #expect(reference.name == tag.map { .tag($0) })
        #expect(try ArtifactReference(reference.description) == reference)
    }

    @Test(arguments: [
        "models", "/srv/models", "file://srv/models", "gs://bucket/x", "file:///srv@sha256:12", "file:///srv@md5:12",
        "file:///srv:-x", "oci://registry.local", "oci:///wine", "oci://registry.local/", "oci://registry.local/Wine",
        "oci://registry.local/a//b", "oci://registry.local/../b", "oci://registry.local/a..b",
        "oci://registry.local/a/",
        "oci://registry.local/-a", "oci://registry.local/a___b", "oci://regis try/a", "oci://user@host/a",
        "s3://", "s3:///a", "s3://ab", "s3://Models", "s3://my_models", "s3://-models", "s3://models.", "s3://a..b",
        "s3://192.168.5.4", "s3://models//a", "s3://models/a//b", "s3://models/../b", "s3://models/./b",
        "s3://models/a\u{0}b", "s3://models/a\nb", "s3://models:-x", "s3://models/a@sha256:12",
        "s3://\(String(repeating: "a", count: 64))", "s3://abc/\(String(repeating: "a", count: 891))",
    ]) func whatIsNoneIsRefused(_ text: String) {
        #expect(throws: ArtifactError.self) { try ArtifactReference(text) }
    }

    @Test(arguments: ["a", "a/b", "a.b/c_d/e__f/g-h/i---j", "0"]) func repositoriesHaveNames(_ name: String) throws {
        #expect(try RegistryRepository(host: "x", name: name).name == name)
    }

    @Test func whatHasADigestNeedsNoStore() async throws {
        let digest = Digest(of: [7])
        let reference = try ArtifactReference("file:///nowhere@\(digest)")
        #expect(reference.name == .digest(digest))
        #expect(try await reference.resolve(in: DirectoryStore("/nowhere")) == digest)
        await #expect(throws: ArtifactError.self) {
            try await ArtifactReference("file:///nowhere").resolve(in: DirectoryStore("/nowhere"))
        }
    }
}
