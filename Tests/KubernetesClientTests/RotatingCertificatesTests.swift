import Concurrency
import HTTPTransport
import OpenSSL
import Testing

@testable import KubernetesClient

@Suite struct RotatingCertificatesTests {
    private struct Pair {
        var certificate: String
        var key: String

        init(_ name: String, by authority: CertificateAuthority) throws {
            (certificate, key) = try authority.issue(
                CertificateRequest(commonName: name, usage: .client), now: SystemTime().wallNow())
        }
    }

    /// Files as a kubeconfig may name them, and what the configuration makes of them.
    private struct Setting {
        let directory: TemporaryDirectory
        let authority: CertificateAuthority
        let time = ManualTime()
        let renewal: any TLSMaterialSource

        init(prepare: (TemporaryDirectory) throws -> Void = { _ in }) throws {
            directory = try TemporaryDirectory()
            authority = try CertificateAuthority(commonName: "a", now: SystemTime().wallNow())
            let pair = try Pair("one", by: authority)
            try directory.write("ca.crt", authority.certificatePEM)
            try directory.write("crt.pem", pair.certificate)
            try directory.write("key.pem", pair.key)
            try prepare(directory)
            let file = try directory.write(
                "config",
                """
                current-context: m
                contexts: [{name: m, context: {cluster: c, user: u}}]
                clusters: [{name: c, cluster: {server: https://a, certificate-authority: ca.crt}}]
                users: [{name: u, user: {client-certificate: crt.pem, client-key: key.pem}}]
                """)
            let configuration = try ClientConfiguration.kubeconfig(path: file, time: time)
            renewal = try #require(configuration.transport.renewal)
        }

        func certificate() async throws -> String? {
            try await renewal.material().material.clientCertificatePEM.map { String(decoding: $0, as: UTF8.self) }
        }

        func authorities() async throws -> String? {
            try await renewal.material().material.certificateAuthorityPEM.map { String(decoding: $0, as: UTF8.self) }
        }
    }

    @Test func filesAreReadAgainAfterTenSeconds() async throws {
        let setting = try Setting()
        let (old, new) = (try await setting.certificate(), try Pair("two", by: setting.authority))
        try setting.directory.write("crt.pem", new.certificate)
        try setting.directory.write("key.pem", new.key)
        setting.time.advance(by: .milliseconds(9999))
        #expect(try await setting.certificate() == old)
        setting.time.advance(by: .milliseconds(1))
        #expect(try await setting.certificate() == new.certificate)
    }

    @Test func aKeyThatIsNotYetItsCertificatesIsIgnoredUntilItIs() async throws {
        let setting = try Setting()
        let (old, new) = (try await setting.certificate(), try Pair("two", by: setting.authority))
        let half = String(new.key.prefix(new.key.count / 2))
        for (certificate, key) in [(new.certificate, nil), (new.certificate, half), (new.certificate, "")] {
            try setting.directory.write("crt.pem", certificate)
            if let key { try setting.directory.write("key.pem", key) }
            setting.time.advance(by: .seconds(10))
            let reading = try await setting.renewal.material()
            #expect(reading.material.clientCertificatePEM.map { String(decoding: $0, as: UTF8.self) } == old)
            let error = await #expect(throws: HTTPTransportError.self) {
                try await setting.renewal.material(insteadOf: reading)
            }
            #expect(error?.detail.contains("cannot be used") == true)
        }
        try setting.directory.remove("key.pem")
        setting.time.advance(by: .seconds(1))
        #expect(try await setting.certificate() == old)
        try setting.directory.write("key.pem", new.key)
        setting.time.advance(by: .seconds(1))
        #expect(try await setting.certificate() == new.certificate, "looked at again after a second")
    }

    @Test func anAuthorityIsAddedAndTheOldOneTakenAway() async throws {
        let setting = try Setting()
        let next = try CertificateAuthority(commonName: "b", now: SystemTime().wallNow())
        let both = setting.authority.certificatePEM + next.certificatePEM
        for bundle in [both, next.certificatePEM] {
            try setting.directory.write("ca.crt", String(bundle.dropLast(40)))
            setting.time.advance(by: .seconds(10))
            #expect(try await setting.authorities() != String(bundle.dropLast(40)), "half a bundle is none")
            try setting.directory.write("ca.crt", bundle)
            setting.time.advance(by: .seconds(1))
            #expect(try await setting.authorities() == bundle)
        }
    }

    @Test func oneLookServesAllThatWereRefusedTogether() async throws {
        let setting = try Setting()
        let refused = try await setting.renewal.material()
        let unchanged = try await setting.renewal.material(insteadOf: refused)
        #expect(unchanged.material == refused.material)
        #expect(unchanged.look == refused.look + 1)
        for _ in 0..<10 {
            #expect(try await setting.renewal.material(insteadOf: refused) == unchanged, "nobody looks again")
        }
        let new = try Pair("two", by: setting.authority)
        try setting.directory.write("crt.pem", new.certificate)
        try setting.directory.write("key.pem", new.key)
        let renewed = try await setting.renewal.material(insteadOf: unchanged)
        #expect(renewed.material.clientCertificatePEM == Array(new.certificate.utf8), "without waiting")
    }

    @Test func aVolumeThatKubeletSwapsIsFollowed() async throws {
        let directory = try TemporaryDirectory()
        let (old, new) = (
            try CertificateAuthority(commonName: "old", now: SystemTime().wallNow()).certificatePEM,
            try CertificateAuthority(commonName: "new", now: SystemTime().wallNow()).certificatePEM
        )
        for (name, authority, token) in [("..1", old, "one"), ("..2", new, "two")] {
            try directory.write("\(name)/ca.crt", authority)
            try directory.write("\(name)/token", token)
        }
        try directory.link("..data", to: "..1")
        for name in ["ca.crt", "token"] { try directory.link(name, to: "..data/\(name)") }
        let variables = ["KUBERNETES_SERVICE_HOST": "a", "KUBERNETES_SERVICE_PORT": "443"]
        let time = ManualTime()
        let configuration = try ClientConfiguration.inCluster(
            time: time, Environment(variable: { variables[$0] }, serviceAccountDirectory: directory.path))
        let renewal = try #require(configuration.transport.renewal)
        let tokens = TokenSource(configuration.credentials, time: time)
        #expect(try await renewal.material().material.certificateAuthorityPEM == Array(old.utf8))
        #expect(try await tokens.current().authorization?.revealed == "Bearer one")
        try directory.link("..data", to: "..2")
        time.advance(by: .seconds(60))
        #expect(try await renewal.material().material.certificateAuthorityPEM == Array(new.utf8))
        #expect(try await tokens.current().authorization?.revealed == "Bearer two")
    }

    @Test func whereNothingIsAFileNothingIsRenewed() throws {
        let directory = try TemporaryDirectory()
        let file = try directory.write(
            "config",
            """
            current-context: m
            contexts: [{name: m, context: {cluster: c}}]
            clusters: [{name: c, cluster: {server: https://a, certificate-authority-data: Q0E=}}]
            """)
        #expect(try ClientConfiguration.kubeconfig(path: file).transport.renewal == nil)
    }

    @Test func aStormOfRefusalsReadsATokenOnce() async throws {
        let directory = try TemporaryDirectory()
        let file = try directory.write("token", "one")
        let tokens = TokenSource(.tokenFile(path: file), time: ManualTime())
        let refused = try await tokens.current()
        #expect(await tokens.replacement(for: refused) == nil)
        try directory.write("token", "two")
        for _ in 0..<10 {
            #expect(await tokens.replacement(for: refused) == nil, "that refusal is older than the last look")
        }
        let again = try await tokens.current()
        #expect(await tokens.replacement(for: again)?.authorization?.revealed == "Bearer two")
    }
}
