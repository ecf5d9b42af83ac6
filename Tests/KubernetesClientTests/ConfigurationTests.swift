import HTTPTransport
import Testing

@testable import KubernetesClient

@Suite struct ConfigurationTests {
    private static let full = """
        apiVersion: v1
        kind: Config
        current-context: main
        contexts:
        - name: main
          context: {cluster: c, user: u, namespace: ml}
        - name: other
          context: {cluster: plain, user: ""}
        clusters:
        - name: c
          cluster:
            server: https://127.0.0.1:6443
            certificate-authority-data: Q0E=
            tls-server-name: kubernetes
            proxy-url: http://proxy:3128
        - name: plain
          cluster: {server: http://127.0.0.1:8080}
        users:
        - name: u
          user:
            token: t0
            client-certificate-data: Q1JU
            client-key-data: S0VZ
        """

    private static func environment(_ values: [String: String], serviceAccount: String = "/nonexistent") -> Environment
    {
        Environment(variable: { values[$0] }, serviceAccountDirectory: serviceAccount)
    }

    private static func read(
        _ text: String, context: String? = nil
    ) throws -> ClientConfiguration {
        let directory = try TemporaryDirectory()
        let file = try directory.write("config", text)
        return try ClientConfiguration.kubeconfig(path: file, context: context, environment([:]))
    }

    @Test func theCurrentContextIsRead() throws {
        let configuration = try Self.read(Self.full)
        #expect(configuration.namespace == "ml")
        #expect(configuration.credentials == .token("t0"))
        let transport = configuration.transport
        #expect(transport.server == "https://127.0.0.1:6443")
        #expect(transport.certificateAuthorityPEM == Array("CA".utf8))
        #expect(transport.clientCertificatePEM == Array("CRT".utf8))
        #expect(transport.clientKeyPEM == Array("KEY".utf8))
        #expect(transport.tlsServerName == "kubernetes")
        #expect(transport.proxyURL == "http://proxy:3128")
        #expect(!transport.insecureSkipTLSVerify)
    }

    @Test func anotherContextCanBeNamed() throws {
        let configuration = try Self.read(Self.full, context: "other")
        #expect(configuration.transport.server == "http://127.0.0.1:8080")
        #expect(configuration.credentials == .none)
        #expect(configuration.namespace == "default")
    }

    @Test func relativePathsStartFromTheFilesDirectory() throws {
        let directory = try TemporaryDirectory()
        try directory.write("sub/ca.pem", "CA file")
        try directory.write("crt.pem", "CRT file")
        let key = try directory.write("key.pem", "KEY file")
        let file = try directory.write(
            "sub/config",
            """
            current-context: m
            contexts: [{name: m, context: {cluster: c, user: u}}]
            clusters: [{name: c, cluster: {server: "https://a", certificate-authority: ca.pem}}]
            users:
            - name: u
              user: {client-certificate: ../crt.pem, client-key: \(key), token: unused, tokenFile: my/token}
            """)
        let configuration = try ClientConfiguration.kubeconfig(path: file, context: nil, Self.environment([:]))
        #expect(configuration.transport.certificateAuthorityPEM == Array("CA file".utf8))
        #expect(configuration.transport.clientCertificatePEM == Array("CRT file".utf8))
        #expect(configuration.transport.clientKeyPEM == Array("KEY file".utf8))
        #expect(configuration.credentials == .tokenFile(path: directory.path + "/sub/my/token"))
    }

    @Test func filesAreMergedAndTheFirstWordCounts() throws {
        let directory = try TemporaryDirectory()
        let first = try directory.write(
            "config", "current-context: m\nclusters: [{name: c, cluster: {server: 'https://first'}}]")
        let second = try directory.write(
            "second",
            """
            current-context: other
            contexts: [{name: m, context: {cluster: c, user: u}}]
            clusters: [{name: c, cluster: {server: 'https://second'}}]
            users: [{name: u, user: {token: t}}]
            """)
        let environment = Self.environment(["KUBECONFIG": "\(directory.path)/missing:\(first)::\(second)"])
        let configuration = try ClientConfiguration.discover(kubeconfig: nil, context: nil, environment)
        #expect(configuration.transport.server == "https://first")
        #expect(configuration.credentials == .token("t"))
    }

    /// Each text and the words that its error must hold, beside the file's path.
    @Test(arguments: [
        ("", ["no current-context"]),
        ("[]", ["must be an object"]),
        ("a: [", ["line"]),
        ("current-context: x\ncontexts: [{name: a, context: {}}, {name: b}]", ["no context \"x\"", "a, b"]),
        ("current-context: x\ncontexts: [{name: x, context: {}}]", ["cluster: is required"]),
        ("current-context: x\ncontexts: [{name: x, context: {cluster: c}}]", ["\"x\"", "\"c\"", "nowhere"]),
        ("contexts: [{name: x}, {name: x}]", ["contexts[1].name", "twice"]),
        ("contexts: 3", ["contexts: must be an array"]),
    ])
    func aFileThatSaysTooLittleIsRefused(_ text: String, _ words: [String]) throws {
        try Self.expectRefusal(text, words + ["/config"])
    }

    /// Fields of the cluster, fields of the user, and the words of the error.
    @Test(arguments: [
        ("{}", "{}", ["cluster \"c\"", "server: is required"]),
        ("{server: 3}", "{}", ["server: must be a string"]),
        ("{server: https://a, certificate-authority-data: '?'}", "{}", ["certificate-authority-data", "base64"]),
        ("{server: https://a, certificate-authority: none.pem}", "{}", ["none.pem", "No such file"]),
        (
            "{server: https://a, certificate-authority-data: Q0E=, insecure-skip-tls-verify: true}", "{}",
            ["insecure-skip-tls-verify"]
        ),
        ("{server: https://a, proxy-url: 'ftp://u:canary@p'}", "{}", ["cluster \"c\"", "proxy-url", "socks5://"]),
        ("{server: https://a}", "{auth-provider: {name: oidc}}", ["auth-provider", "removed", "exec plugin"]),
        ("{server: https://a}", "{username: admin, password: canary, token: canary}", ["username", "beside a token"]),
        ("{server: https://a}", "{password: canary}", ["username: is missing"]),
        ("{server: https://a}", "{as: admin}", ["user \"u\": as:", "impersonation is refused"]),
        ("{server: https://a}", "{as-groups: [g]}", ["as: is missing beside"]),
        ("{server: https://a}", "{exec: 3}", ["exec: must be an object"]),
        ("{server: https://a}", "{client-certificate-data: Q1JU}", ["client-key", "missing"]),
        ("{server: https://a}", "{client-key-data: canary}", ["base64"]),
        ("{server: https://a}", "{token: [canary]}", ["token: must be a string"]),
    ])
    func aFieldThatCannotBeUsedIsNamed(_ cluster: String, _ user: String, _ words: [String]) throws {
        let text = """
            current-context: m
            contexts: [{name: m, context: {cluster: c, user: u}}]
            clusters: [{name: c, cluster: \(cluster)}]
            users: [{name: u, user: \(user)}]
            """
        try Self.expectRefusal(text, words + ["/config"])
    }

    @Test func bytesThatAreNoTextAreRefusedWithTheirLine() {
        var bytes = Array(Self.full.utf8)
        bytes += Array("\n# caf".utf8) + [0xE9] + Array("\nkind: Config\n".utf8)
        let lines = Self.full.split(separator: "\n").count
        var kubeconfig = Kubeconfig()
        let error = #expect(throws: ConfigurationError.self) { try kubeconfig.add("/a/config", bytes) }
        #expect(error?.message == "kubeconfig /a/config: line \(lines + 1) is not UTF-8")
    }

    private static func expectRefusal(_ text: String, _ words: [String]) throws {
        let error = #expect(throws: ConfigurationError.self) { try read(text) }
        let message = error?.message ?? ""
        for word in words { #expect(message.contains(word), "\(message)") }
        #expect(!message.contains("canary"))
    }

    @Test func withoutAnyFileTheErrorSaysWhereItLooked() {
        for (variables, word) in [
            (["HOME": "/nonexistent"], "/nonexistent/.kube/config"),
            (["KUBECONFIG": "/nonexistent/a:/nonexistent/b"], "/b"),
            ([:], "$HOME"),
        ] {
            let error = #expect(throws: ConfigurationError.self) {
                try ClientConfiguration.discover(kubeconfig: nil, context: nil, Self.environment(variables))
            }
            #expect(error?.message.contains(word) == true)
        }
    }

    private static func serviceAccount() throws -> TemporaryDirectory {
        let directory = try TemporaryDirectory()
        try directory.write("token", "t\n")
        try directory.write("ca.crt", "CA")
        try directory.write("namespace", "ml\n")
        return directory
    }

    @Test(arguments: [
        ("10.0.0.1", "https://10.0.0.1:443"), ("fd00::1", "https://[fd00::1]:443"),
        ("kubernetes.default", "https://kubernetes.default:443"),
    ])
    func aPodsConfigurationIsItsServiceAccount(_ host: String, _ server: String) throws {
        let directory = try Self.serviceAccount()
        let environment = Self.environment(
            ["KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": "443", "HOME": "/nonexistent"],
            serviceAccount: directory.path)
        let configuration = try ClientConfiguration.discover(kubeconfig: nil, context: nil, environment)
        #expect(configuration.transport.server == server)
        #expect(configuration.transport.certificateAuthorityPEM == Array("CA".utf8))
        #expect(configuration.credentials == .tokenFile(path: directory.path + "/token"))
        #expect(configuration.namespace == "ml")
    }

    @Test(arguments: ["token", "ca.crt", "namespace"])
    func aServiceAccountNeedsItsTokenAndItsAuthority(_ missing: String) throws {
        let directory = try Self.serviceAccount()
        try directory.remove(missing)
        let environment = Self.environment(
            ["KUBERNETES_SERVICE_HOST": "a", "KUBERNETES_SERVICE_PORT": "443"], serviceAccount: directory.path)
        if missing == "namespace" {
            #expect(try ClientConfiguration.inCluster(environment).namespace == "default")
        } else {
            let error = #expect(throws: ConfigurationError.self) { try ClientConfiguration.inCluster(environment) }
            #expect(error?.message.contains("/" + missing) == true)
        }
    }
}
