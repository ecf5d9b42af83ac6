import Concurrency
import FoundationEssentials
import HTTPTransport
import KubernetesClient
import Testing

@testable import CredentialPlugins

#if canImport(Glibc)
import Glibc
#else
import Musl
#endif

/// Real programs: small scripts, which run by their first line and not because of a shell of ours.
@Suite struct PluginRunnerTests {
    private static func withDirectory<Result>(_ body: (String) async throws -> Result) async throws -> Result {
        let path = FileManager.default.temporaryDirectory.appending(path: "assay-plugin-\(UUID())").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        do {
            let result = try await body(path)
            try FileManager.default.removeItem(atPath: path)
            return result
        } catch {
            try FileManager.default.removeItem(atPath: path)
            throw error
        }
    }

    @discardableResult
    private static func write(_ path: String, _ script: String, mode: mode_t = 0o700) throws -> String {
        try Data("#!/bin/sh\n\(script)\n".utf8).write(to: URL(filePath: path))
        chmod(path, mode)
        return path
    }

    private static func invocation(
        _ command: String, _ arguments: [String] = [], _ environment: [String: String] = [:], limit: Int = 1 << 16
    ) -> CredentialPluginInvocation {
        CredentialPluginInvocation(
            command: command, arguments: arguments, environment: environment, outputLimit: limit)
    }

    private static func output(
        _ invocation: CredentialPluginInvocation, searchPath: String = "/usr/bin:/bin"
    ) async -> Result<String, CredentialPluginFailure> {
        do throws(CredentialPluginFailure) {
            let runner = SubprocessPluginRunner(searchPath: searchPath, grace: .milliseconds(100))
            return .success(String(decoding: try await runner.run(invocation), as: UTF8.self))
        } catch {
            return .failure(error)
        }
    }

    @Test func argumentsAndEnvironmentArriveAsTheyAreAndNothingIsExpanded() async throws {
        try await Self.withDirectory { directory in
            let program = try Self.write("\(directory)/p", "printf '%s|' \"$@\" \"$X\" \"$HOME\"; cat")
            let result = await Self.output(
                Self.invocation(program, ["a b", "$(touch \(directory)/harm)", ";"], ["X": "`id`"]))
            let home = getenv("HOME").map { String(cString: $0) } ?? ""
            #expect(result == .success("a b|$(touch \(directory)/harm)|;|`id`|\(home)|"), "standard input is empty")
            #expect(!FileManager.default.fileExists(atPath: "\(directory)/harm"))
        }
    }

    @Test func aNameIsLookedForOnThePathInAbsoluteDirectoriesOnly() async throws {
        try await Self.withDirectory { directory in
            try Self.write("\(directory)/a-plugin", "echo found")
            try Self.write("\(directory)/no-program", "echo wrong", mode: 0o600)
            try FileManager.default.createDirectory(
                atPath: "\(directory)/a-directory", withIntermediateDirectories: true)
            for (name, path, expected) in [
                ("a-plugin", "/nonexistent:\(directory)", Result<String, CredentialPluginFailure>.success("found\n")),
                ("a-plugin", ".::../../..\(directory)", .failure(.notFound)),
                ("a-plugin", "", .failure(.notFound)), ("no-program", directory, .failure(.notFound)),
                ("a-directory", directory, .failure(.notFound)), ("none", directory, .failure(.notFound)),
                ("\(directory)/none", directory, .failure(.notFound)),
                ("\(directory)/no-program", directory, .failure(.notFound)),
            ] {
                #expect(await Self.output(Self.invocation(name), searchPath: path) == expected, "\(name) on \(path)")
            }
        }
    }

    @Test func aProgramThatFailsOrIsKilledIsTold() async throws {
        try await Self.withDirectory { directory in
            let failing = try Self.write("\(directory)/f", "echo canary; exit 3")
            #expect(await Self.output(Self.invocation(failing)) == .failure(.exited(3)))
            let killed = try Self.write("\(directory)/k", "kill -9 $$")
            #expect(await Self.output(Self.invocation(killed)) == .failure(.killed(signal: 9)))
        }
    }

    @Test func outputIsBounded() async throws {
        try await Self.withDirectory { directory in
            let program = try Self.write("\(directory)/p", "exec yes canary")
            #expect(
                await Self.output(Self.invocation(program, limit: 1000)) == .failure(.tooMuchOutput(limit: 1000)))
        }
    }

    /// The program that hangs, and whether it lets itself be told to end.
    @Test(arguments: ["sleep 600", "trap '' TERM; sleep 600; sleep 600", "sleep 600 & echo $! > child; wait"])
    func cancellingKillsTheProgramAndItsChildren(_ script: String) async throws {
        try await Self.withDirectory { directory in
            let program = try Self.write(
                "\(directory)/p", "cd \(directory); echo $$ > pid.new; mv pid.new pid\n\(script)")
            let result = await withTaskGroup(of: Result<String, CredentialPluginFailure>?.self) { group in
                group.addTask { await Self.output(Self.invocation(program)) }
                group.addTask {
                    while !FileManager.default.fileExists(atPath: "\(directory)/pid"), !Task.isCancelled {
                        do { try await Task.sleep(for: .milliseconds(5)) } catch { return nil }
                    }
                    return nil
                }
                _ = await group.next()
                group.cancelAll()
                return await group.next() ?? nil
            }
            #expect(result == .failure(.cancelled))
            let group = try #require(
                pid_t(String(contentsOfFile: "\(directory)/pid", encoding: .utf8).prefix { $0 != "\n" }))
            var isGone = false
            for _ in 0..<1000 where !isGone {
                isGone = kill(-group, 0) != 0 && errno == ESRCH
                if !isGone { try await Task.sleep(for: .milliseconds(5)) }
            }
            #expect(isGone, "nobody of its process group is left")
        }
    }

    @Test func aChildThatKeepsTheOutputOpenIsNotWaitedFor() async throws {
        try await Self.withDirectory { directory in
            let program = try Self.write("\(directory)/p", "sleep 20 &\necho done")
            let started = ContinuousClock.now
            #expect(await Self.output(Self.invocation(program)) == .success("done\n"))
            #expect(ContinuousClock.now - started < .seconds(15))
        }
    }

    @Test func aKubeconfigsProgramGivesTheTokenOfRequests() async throws {
        try await Self.withDirectory { directory in
            try FileManager.default.createDirectory(atPath: "\(directory)/bin", withIntermediateDirectories: true)
            try Self.write(
                "\(directory)/bin/login",
                """
                case $KUBERNETES_EXEC_INFO in *'"interactive":false'*) ;; *) exit 9 ;; esac
                echo '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1",'
                echo ' "status":{"token":"'$1-$WHO'"}}'
                """)
            let kubeconfig = """
                current-context: m
                contexts: [{name: m, context: {cluster: c, user: u}}]
                clusters: [{name: c, cluster: {server: https://a}}]
                users:
                - name: u
                  user:
                    exec: {apiVersion: client.authentication.k8s.io/v1, command: bin/login, args: [t],
                      env: [{name: WHO, value: me}],
                      interactiveMode: Never}
                """
            try Data(kubeconfig.utf8).write(to: URL(filePath: "\(directory)/config"))
            let configuration = try ClientConfiguration.kubeconfig(
                path: "\(directory)/config", trust: KubeconfigTrust(plugins: SubprocessPluginRunner()))
            let seen = Locked<String?>(nil)
            let client = KubernetesClient(transport: Recorder(seen: seen), credentials: configuration.credentials)
            _ = try await client.send(HTTPRequest(.get, "/version"))
            #expect(seen.withLock { $0 } == "Bearer t-me")
        }
    }
}

private struct Recorder: HTTPTransport {
    let seen: Locked<String?>

    func send(_ request: HTTPRequest) async throws(HTTPTransportError) -> HTTPResponse {
        seen.withLock { $0 = request.headers["Authorization"] }
        return HTTPResponse(status: 200, body: HTTPBody { () async throws(HTTPTransportError) in nil })
    }
}
