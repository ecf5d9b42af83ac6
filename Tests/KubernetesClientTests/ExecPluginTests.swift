import Concurrency
import HTTPTransport
import JSON
import KubernetesModel
import OpenSSL
import Testing

@testable import KubernetesClient

/// A stand-in for programs: answers from a script, or waits until it is cancelled.
private final class ScriptedPlugin: CredentialPluginRunner {
    enum Answer: Sendable {
        case output(String)
        case failure(CredentialPluginFailure)
        case never
    }

    private let state: Locked<(answers: [Answer], invocations: [CredentialPluginInvocation])>

    init(_ answers: [Answer]) { state = Locked((answers, [])) }

    var invocations: [CredentialPluginInvocation] { state.withLock { $0.invocations } }
    var runs: Int { invocations.count }

    func run(_ invocation: CredentialPluginInvocation) async throws(CredentialPluginFailure) -> [UInt8] {
        let answer = state.withLock { state -> Answer in
            state.invocations.append(invocation)
            return state.answers.isEmpty ? .failure(.notStarted("the script is over")) : state.answers.removeFirst()
        }
        await Task.yield()
        switch answer {
        case .output(let text): return Array(text.utf8)
        case .failure(let failure): throw failure
        case .never:
            do { try await Task.sleep(for: .seconds(600)) } catch { throw .cancelled }
            throw .exited(1)
        }
    }
}

@Suite struct ExecPluginTests {
    private static let key = ObjectKey(namespace: nil, name: "n")

    private static func kubeconfig(_ exec: String, cluster: String = "{server: https://a}", user: String = "") -> String
    {
        """
        current-context: m
        contexts: [{name: m, context: {cluster: c, user: u}}]
        clusters: [{name: c, cluster: \(cluster)}]
        users: [{name: u, user: {\(user) exec: \(exec)}}]
        """
    }

    private static let simple =
        "{apiVersion: client.authentication.k8s.io/v1, command: get-token, interactiveMode: Never, installHint: get it}"

    private static func read(
        _ text: String, _ runner: (any CredentialPluginRunner)?, time: any TimeSource = ManualTime()
    ) throws -> (configuration: ClientConfiguration, directory: String) {
        let directory = try TemporaryDirectory()
        let file = try directory.write("sub/config", text)
        return (
            try ClientConfiguration.kubeconfig(path: file, trust: KubeconfigTrust(plugins: runner), time: time),
            directory.path
        )
    }

    private static func answer(_ token: String, expires: String? = nil, version: String = "v1") -> ScriptedPlugin.Answer
    {
        let expiry = expires.map { ",\"expirationTimestamp\":\"\($0)\"" } ?? ""
        return .output(
            """
            {"apiVersion":"client.authentication.k8s.io/\(version)","kind":"ExecCredential",
             "status":{"token":"\(token)"\(expiry)}}
            """)
    }

    /// Sends one request and returns what it carried.
    private static func call(_ client: KubernetesClient, _ transport: ScriptedTransport) async throws -> String? {
        _ = try await client.get(.nodes, key)
        return transport.requests.last?.headers["Authorization"]
    }

    // MARK: Reading the kubeconfig

    @Test func whereNobodyTrustsTheFileNoProgramIsRun() throws {
        let error = #expect(throws: ConfigurationError.self) { try Self.read(Self.kubeconfig(Self.simple), nil) }
        #expect(error?.message.contains("exec: programs of this kubeconfig are not run here") == true)
    }

    @Test(arguments: [
        ("get-token", "get-token"), ("/bin/get-token", "/bin/get-token"), ("./get-token", "D/sub/./get-token"),
        ("bin/get-token", "D/sub/bin/get-token"),
    ])
    func aCommandIsAbsoluteOrFromTheFilesDirectoryOrOnThePath(_ command: String, _ expected: String) async throws {
        let runner = ScriptedPlugin([Self.answer("t", version: "v1beta1")])
        let (configuration, directory) = try Self.read(
            Self.kubeconfig("{apiVersion: client.authentication.k8s.io/v1beta1, command: \(command)}"), runner)
        let client = KubernetesClient(
            transport: ScriptedTransport([.json([:])]), credentials: configuration.credentials)
        _ = try await client.get(.nodes, Self.key)
        #expect(runner.invocations.first?.command == expected.replacing("D", with: directory))
    }

    @Test func theProgramGetsItsArgumentsItsEnvironmentAndTheCluster() async throws {
        let runner = ScriptedPlugin([Self.answer("t")])
        let exec = """
            {apiVersion: client.authentication.k8s.io/v1, command: p, args: [a, '$(b) ; c'],
             interactiveMode: IfAvailable, env: [{name: X, value: 'y z'}], provideClusterInfo: true}
            """
        let cluster = """
            {server: https://a, certificate-authority-data: Q0E=, tls-server-name: s, proxy-url: 'http://p',
             extensions: [{name: other, extension: 1},
              {name: client.authentication.k8s.io/exec, extension: {audience: z}}]}
            """
        let (configuration, _) = try Self.read(Self.kubeconfig(exec, cluster: cluster), runner)
        let transport = ScriptedTransport([.json([:])])
        let client = KubernetesClient(transport: transport, credentials: configuration.credentials)
        #expect(try await Self.call(client, transport) == "Bearer t")
        let invocation = try #require(runner.invocations.first)
        #expect(invocation.arguments == ["a", "$(b) ; c"])
        #expect(invocation.environment["X"] == "y z")
        let info = try JSONValue(parsing: Array((invocation.environment["KUBERNETES_EXEC_INFO"] ?? "").utf8))
        #expect(
            info == [
                "apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
                "spec": [
                    "interactive": false,
                    "cluster": [
                        "server": "https://a", "certificate-authority-data": "Q0E=", "tls-server-name": "s",
                        "proxy-url": "http://p", "config": ["audience": "z"],
                    ],
                ],
            ])
    }

    @Test(arguments: [
        ("{command: p, interactiveMode: Never}", "exec.apiVersion: is required"),
        ("{apiVersion: client.authentication.k8s.io/v1alpha1, command: p}", "exec.apiVersion: must be client."),
        ("{apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never}", "exec.command: is required"),
        ("{apiVersion: client.authentication.k8s.io/v1, command: p}", "exec.interactiveMode: is required"),
        ("{apiVersion: client.authentication.k8s.io/v1, command: p, interactiveMode: Always}", "nobody can be asked"),
        ("{apiVersion: client.authentication.k8s.io/v1, command: p, interactiveMode: Often}", "not \"Often\""),
        (
            "{apiVersion: client.authentication.k8s.io/v1beta1, command: p, env: [{name: A}]}",
            "env[0].value: is required"
        ),
    ])
    func aPluginThatCannotBeUsedIsRefused(_ exec: String, _ words: String) throws {
        let error = #expect(throws: ConfigurationError.self) {
            try Self.read(Self.kubeconfig(exec), ScriptedPlugin([]))
        }
        #expect(error?.message.contains(words) == true, "\(error?.message ?? "")")
    }

    @Test func aPluginBesideATokenIsRefused() {
        let error = #expect(throws: ConfigurationError.self) {
            try Self.read(Self.kubeconfig(Self.simple, user: "token: canary,"), ScriptedPlugin([]))
        }
        #expect(error?.message.contains("only one can count") == true)
    }

    // MARK: Running it

    private static func client(
        _ answers: [ScriptedPlugin.Answer], _ responses: [ScriptedTransport.Answer]
    ) throws -> (client: KubernetesClient, plugin: ScriptedPlugin, transport: ScriptedTransport, time: ManualTime) {
        let (plugin, time) = (ScriptedPlugin(answers), ManualTime())
        let (configuration, _) = try read(kubeconfig(simple), plugin, time: time)
        let transport = ScriptedTransport(responses)
        let client = KubernetesClient(
            transport: transport, credentials: configuration.credentials, time: time, retry: .never)
        return (client, plugin, transport, time)
    }

    @Test func aTokenIsRenewedAMinuteBeforeItExpires() async throws {
        // The manual time begins with the year 2026.
        let (client, plugin, transport, time) = try Self.client(
            [Self.answer("one", expires: "2026-01-01T01:00:00Z"), Self.answer("two")],
            Array(repeating: .json([:]), count: 4))
        #expect(try await Self.call(client, transport) == "Bearer one")
        time.advance(by: .seconds(3539))
        #expect(try await Self.call(client, transport) == "Bearer one")
        #expect(plugin.runs == 1)
        time.advance(by: .seconds(1))
        #expect(try await Self.call(client, transport) == "Bearer two")
        time.advance(by: .seconds(1_000_000))
        #expect(try await Self.call(client, transport) == "Bearer two", "it does not expire")
        #expect(plugin.runs == 2)
    }

    @Test func whileTheProgramFailsTheOldTokenServesAsLongAsItLives() async throws {
        let (client, plugin, transport, time) = try Self.client(
            [Self.answer("one", expires: "2026-01-01T01:00:00Z"), .failure(.exited(3)), .failure(.exited(3))],
            Array(repeating: .json([:]), count: 4))
        #expect(try await Self.call(client, transport) == "Bearer one")
        time.advance(by: .seconds(3550))
        #expect(try await Self.call(client, transport) == "Bearer one")
        #expect(try await Self.call(client, transport) == "Bearer one")
        #expect(plugin.runs == 2, "not at every request")
        time.advance(by: .seconds(50))
        let error = await #expect(throws: KubernetesError.self) { try await client.get(.nodes, Self.key) }
        #expect(error?.description.contains("get-token: it ended with code 3") == true, "\(String(describing: error))")
        #expect(error?.outcomeIsUnknown == false)
    }

    @Test func aRefusedTokenMakesTheProgramRunOnceHoweverManyWereRefused() async throws {
        let refusals = Array(repeating: ScriptedTransport.Answer.status(401), count: 50)
        let (client, plugin, transport, time) = try Self.client(
            [Self.answer("one"), Self.answer("two")],
            [.json([:])] + refusals + Array(repeating: .json([:]), count: 50))
        #expect(try await Self.call(client, transport) == "Bearer one")
        time.advance(by: .seconds(11))
        let failures = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<50 {
                group.addTask {
                    do {
                        _ = try await client.get(.nodes, Self.key)
                        return false
                    } catch {
                        return true
                    }
                }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(plugin.runs == 2)
        // A request that comes with the new token while the script still refuses is final.
        #expect(failures < 50)
        #expect(transport.requests.last?.headers["Authorization"] == "Bearer two")
    }

    @Test func aServerThatRefusesEverythingDoesNotKeepTheProgramRunning() async throws {
        let (client, plugin, _, time) = try Self.client(
            [Self.answer("one"), Self.answer("two")], Array(repeating: .status(401), count: 30))
        for _ in 0..<10 {
            _ = await #expect(throws: KubernetesError.self) { try await client.get(.nodes, Self.key) }
            time.advance(by: .milliseconds(500))
        }
        #expect(plugin.runs == 1)
        time.advance(by: .seconds(10))
        _ = await #expect(throws: KubernetesError.self) { try await client.get(.nodes, Self.key) }
        #expect(plugin.runs == 2)
    }

    @Test func manyRequestsAtTheStartWaitForOneRun() async throws {
        let (client, plugin, transport, _) = try Self.client(
            [Self.answer("one")], Array(repeating: .json([:]), count: 20))
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<20 { group.addTask { _ = try await client.get(.nodes, Self.key) } }
            try await group.waitForAll()
        }
        #expect(plugin.runs == 1)
        #expect(transport.requests.allSatisfy { $0.headers["Authorization"] == "Bearer one" })
    }

    @Test func aProgramThatHangsIsEndedAtTheDeadline() async throws {
        let (client, _, transport, time) = try Self.client([.never], [])
        let error = await withTaskGroup(of: KubernetesError?.self) { group in
            group.addTask { await Self.failure(of: client) }
            await time.waitForSleepers(1)
            time.advance(by: .seconds(60))
            return await group.next() ?? nil
        }
        #expect(
            error?.description.contains("get-token: it took longer than 60.0 seconds") == true,
            "\(String(describing: error))")
        #expect(transport.requests.isEmpty)
    }

    @Test func cancellingTheOneThatRunsItLetsTheNextOneRunIt() async throws {
        let (client, plugin, transport, time) = try Self.client([.never, Self.answer("two")], [.json([:])])
        await withTaskGroup(of: KubernetesError?.self) { group in
            group.addTask { await Self.failure(of: client) }
            await time.waitForSleepers(1)
            group.cancelAll()
            let error = await group.next() ?? nil
            #expect(error?.isCancelled == true, "\(String(describing: error))")
        }
        #expect(try await Self.call(client, transport) == "Bearer two")
        #expect(plugin.runs == 2)
    }

    private static func failure(of client: KubernetesClient) async -> KubernetesError? {
        do throws(KubernetesError) {
            _ = try await client.get(.nodes, key)
            return nil
        } catch {
            return error
        }
    }

    @Test(arguments: [
        (CredentialPluginFailure.notFound, "get-token: there is no such program; get it"),
        (.exited(7), "get-token: it ended with code 7"), (.killed(signal: 9), "get-token: it was ended by signal 9"),
        (.tooMuchOutput(limit: 5), "get-token: it wrote more than 5 bytes"), (.notStarted("EAGAIN"), "EAGAIN"),
    ])
    func aFailureNamesTheProgram(_ failure: CredentialPluginFailure, _ words: String) async throws {
        let (client, _, _, _) = try Self.client([.failure(failure)], [])
        let error = try #require(await Self.failure(of: client))
        #expect(error.description.contains(words), "\(error)")
    }

    @Test(arguments: [
        ("canary", "its output of 6 bytes is no JSON"),
        ("{\"kind\":\"canary\"}", "kind: must be ExecCredential"),
        (
            "{\"kind\":\"ExecCredential\",\"apiVersion\":\"canary\"}",
            "apiVersion: must be client.authentication.k8s.io/v1"
        ),
        (Self.status("{}"), "status: has neither"), (Self.status("{\"token\":[\"canary\"]}"), "status.token: must be"),
        (Self.status("{\"token\":\"\"}"), "status: has neither"),
        (Self.status("{\"clientKeyData\":\"canary\"}"), "status: has only one of"),
        (Self.status("{\"clientCertificateData\":\"a\",\"clientKeyData\":\"canary\"}"), "client certificate"),
        (Self.status("{\"token\":\"canary\",\"expirationTimestamp\":\"soon\"}"), "status.expirationTimestamp"),
    ])
    func anAnswerThatCannotBeUsedIsNotShown(_ output: String, _ words: String) async throws {
        let (client, _, transport, _) = try Self.client([.output(output)], [])
        let error = try #require(await Self.failure(of: client))
        #expect(error.description.contains(words), "\(error)")
        #expect(!error.description.contains("canary"))
        #expect(transport.requests.isEmpty)
    }

    private static func status(_ status: String) -> String {
        "{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1\",\"status\":\(status)}"
    }

    // MARK: Certificates

    private static func certificate(_ name: String, expires: String? = nil) throws -> (ScriptedPlugin.Answer, [UInt8]) {
        let authority = try CertificateAuthority(commonName: "a", now: SystemTime().wallNow())
        let issued = try authority.issue(
            CertificateRequest(commonName: name, usage: .client), now: SystemTime().wallNow())
        var body: JSONValue = [
            "clientCertificateData": .string(issued.certificatePEM), "clientKeyData": .string(issued.privateKeyPEM),
        ]
        if let expires { body["expirationTimestamp"] = .string(expires) }
        return (.output(status(body.serialized())), Array(issued.certificatePEM.utf8))
    }

    @Test func aCertificateGoesToTheTransportAndIsRenewedThere() async throws {
        let (first, one) = try Self.certificate("one", expires: "2026-01-01T01:00:00Z")
        let (second, two) = try Self.certificate("two")
        let (third, three) = try Self.certificate("three")
        let (plugin, time) = (ScriptedPlugin([first, second, third]), ManualTime())
        let (configuration, _) = try Self.read(Self.kubeconfig(Self.simple), plugin, time: time)
        let renewal = try #require(configuration.transport.renewal)
        let reading = try await renewal.material()
        #expect(reading.material.clientCertificatePEM == one)
        #expect(reading.material.clientKeyPEM != nil)
        let transport = ScriptedTransport([.json([:])])
        let client = KubernetesClient(transport: transport, credentials: configuration.credentials, time: time)
        #expect(try await Self.call(client, transport) == nil, "there is no token")
        #expect(plugin.runs == 1)
        time.advance(by: .seconds(3550))
        let renewed = try await renewal.material()
        #expect(renewed.material.clientCertificatePEM == two)
        #expect(renewed.look > reading.look)
        time.advance(by: .seconds(11))
        let anew = try await renewal.material(insteadOf: renewed)
        #expect(anew.material.clientCertificatePEM == three)
        let late = try await renewal.material(insteadOf: renewed)
        #expect(late.material.clientCertificatePEM == three)
        #expect(plugin.runs == 3)
    }
}
