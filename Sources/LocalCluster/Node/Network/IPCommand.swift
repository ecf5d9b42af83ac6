import CLinux
import Files
import Glibc

/// Runs iproute2's `ip`.
///
/// On a thread of its own and to its end, also where the task is cancelled: a node that stops still takes its network
/// down.
enum IPCommand {
    static func run(_ arguments: [String]) async throws(NetworkError) -> String {
        try await run(arguments, input: "")
    }

    /// - Parameter namespace: the network namespace to do it in.
    static func batch(_ lines: [String], in namespace: String? = nil) async throws(NetworkError) -> String {
        let place = namespace.map { ["-n", $0] } ?? []
        return try await run(place + ["-batch", "-"], input: lines.joined(separator: "\n") + "\n")
    }

    private static func run(_ arguments: [String], input: String) async throws(NetworkError) -> String {
        let (code, output, errors) = await BlockingThread.run { runBlocking(arguments, input) }
        if code == 0 { return output }
        let words = "ip \(arguments.joined(separator: " "))" + (input.isEmpty ? "" : " <<< \(input)")
        throw NetworkError("\(words): \(errors.isEmpty ? "exit status \(code)" : errors)")
    }

    private static func runBlocking(_ arguments: [String], _ input: String) -> (Int32, String, String) {
        // Files in memory hold whatever it reads and writes, so that nobody waits for anybody.
        let files = [clinux_memfd("input"), clinux_memfd("output"), clinux_memfd("errors")]
        defer { for file in files where file >= 0 { close(file) } }
        guard files.allSatisfy({ $0 >= 0 }) else { return (-1, "", FileSystem.message(errno)) }
        do throws(FileError) {
            try FileSystem.writeAll(Array(input.utf8)[...], to: files[0], "input")
        } catch {
            return (-1, "", "\(error)")
        }
        lseek(files[0], 0, SEEK_SET)
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        // Out of the way of the numbers that they shall have.
        let moved = files.map { clinux_dup_above($0, 64) }
        defer { for file in moved where file >= 0 { close(file) } }
        for (number, file) in moved.enumerated() { posix_spawn_file_actions_adddup2(&actions, file, Int32(number)) }
        let strings = (["ip"] + arguments).map { strdup($0) }
        let environment = [strdup("PATH=/usr/sbin:/sbin:/usr/bin:/bin"), strdup("LC_ALL=C")]
        defer { for string in strings + environment { free(string) } }
        var pid: pid_t = 0
        var code: Int32 = ENOENT
        for path in ["/usr/sbin/ip", "/sbin/ip", "/usr/bin/ip", "/bin/ip"] where code != 0 {
            code = posix_spawn(&pid, path, &actions, nil, strings + [nil], environment + [nil])
        }
        guard code == 0 else { return (-1, "", "start ip (of iproute2): \(FileSystem.message(code))") }
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0, errno == EINTR {}
        return (clinux_exit_code(status), text(files[1]), text(files[2]))
    }

    private static func text(_ file: Int32) -> String { FileSystem.text("/proc/self/fd/\(file)") ?? "" }
}
