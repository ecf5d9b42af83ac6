import JSON
import Testing

@testable import ArtifactStore

/// What is read of a registry's words, and said to it.
@Suite struct RegistryWordsTests {
    @Test(
        arguments: [
            (
                #"Bearer realm="https://auth.local/token",service="registry.local",scope="repository:a/b:pull,push""#,
                "bearer",
                ["realm": "https://auth.local/token", "service": "registry.local", "scope": "repository:a/b:pull,push"]
            ),
            (#"Basic realm="Registry Realm""#, "basic", ["realm": "Registry Realm"]),
            (#"BASIC"#, "basic", [:]),
            (#"Bearer  Realm = "x""#, "bearer", [:]),
            (
                #"Bearer realm="a \"b\" \\c",error=invalid_token"#, "bearer",
                ["realm": #"a "b" \c"#, "error": "invalid_token"]
            ),
            (#"Basic realm="x", Bearer realm="y""#, "basic", ["realm": "x"]),
        ] as [(String, String, [String: String])])
    func challengesAreRead(_ text: String, _ scheme: String, _ parameters: [String: String]) throws {
        let challenge = try #require(AuthorizationChallenge(text))
        #expect(challenge.scheme == scheme)
        #expect(challenge.parameters == parameters)
    }

    @Test(arguments: ["", "   ", #"Bearer realm="x"#, #"Bearer realm="x\"#])
    func whatIsNoChallengeIsNone(_ text: String) { #expect(AuthorizationChallenge(text) == nil) }

    @Test func credentialsAreThoseOfTheHost() throws {
        let file = #"""
            {"auths": {"registry.local:5000": {"auth": "\#(Base64.encode(Array("ann:a:b".utf8)))"},
             "https://index.docker.io/v1/": {"username": "bob", "password": "hunter2"}, "bare": {}}}
            """#
        func credentials(_ host: String) throws -> RegistryCredentials? {
            try RegistryCredentials(host: host, in: Array(file.utf8))
        }
        #expect(try credentials("registry.local:5000") == RegistryCredentials(username: "ann", password: "a:b"))
        #expect(try credentials("index.docker.io")?.username == "bob")
        #expect(try credentials("registry.local") == nil)
        #expect(throws: ArtifactError.self) { try credentials("bare") }
        #expect(throws: ArtifactError.self) { try RegistryCredentials(host: "x", in: Array("{".utf8)) }
        let bob = try #require(try credentials("index.docker.io"))
        #expect(!"\(bob)".contains("hunter2") && !String(reflecting: bob).contains("hunter2"))
        var dumped = ""
        dump(bob, to: &dumped)
        #expect(!dumped.contains("hunter2"))
    }

    @Test(
        arguments: [
            ("https://auth.local/token?x=y", "https://auth.local", "/token?x=y"), ("http://a:1", "http://a:1", "/"),
            ("HTTPS://a?b", "https://a", "/?b"), ("ftp://a/b", nil, nil), ("/token", nil, nil),
            ("https:///x", nil, nil),
            ("https://ann@a/x", nil, nil),
        ] as [(String, String?, String?)]) func urlsAreTakenApart(_ text: String, _ server: String?, _ target: String?)
    {
        let url = ServerURL(text)
        #expect(url?.server == server)
        #expect(url?.target == target)
    }
}
