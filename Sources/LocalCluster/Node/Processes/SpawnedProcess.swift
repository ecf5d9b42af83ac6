import CLinux
import Files
import Glibc
import JSON

/// Starts `node-exec` with its descriptors in place: the launch on 3, the report on 4, the output on pipes.
struct SpawnedProcess {
    var pid: pid_t
    /// A pidfd.
    var descriptor: Int32
    var report: Int32
    var stdout: Int32
    var stderr: Int32

    init(executable: String, launch: ContainerLaunch) throws(ProcessStartError) {
        let memory = clinux_memfd("launch")
        guard memory >= 0 else { throw Self.failure("make a descriptor for the launch", errno) }
        defer { close(memory) }
        do throws(FileError) {
            try FileSystem.writeAll(launch.json.serializedBytes()[...], to: memory, "the launch")
        } catch {
            throw ProcessStartError(description: "\(error)")
        }
        lseek(memory, 0, SEEK_SET)
        let null = clinux_open("/dev/null", O_RDONLY | O_CLOEXEC, 0)
        defer { close(null) }
        let (out, errorPipe, report) = (try Self.pipe(), try Self.pipe(), try Self.pipe())
        let childEnds = [null, out.write, errorPipe.write, memory, report.write]
        // Moved out of the way of the numbers that they shall have in the child.
        let moved = childEnds.map { clinux_dup_above($0, 64) }
        defer { for end in [out.write, errorPipe.write, report.write] + moved { close(end) } }
        do throws(ProcessStartError) {
            pid = try Self.spawn(executable, moved)
        } catch {
            for end in [out.read, errorPipe.read, report.read] { close(end) }
            throw error
        }
        descriptor = clinux_pidfd_open(pid)
        (self.report, stdout, stderr) = (report.read, out.read, errorPipe.read)
        for end in [report.read, out.read, errorPipe.read] { clinux_set_nonblocking(end) }
    }

    private static func spawn(_ executable: String, _ descriptors: [Int32]) throws(ProcessStartError) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (number, descriptor) in descriptors.enumerated() {
            posix_spawn_file_actions_adddup2(&actions, descriptor, Int32(number))
        }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        var all = sigset_t()
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETSIGMASK) | Int16(POSIX_SPAWN_SETSIGDEF) | Int16(POSIX_SPAWN_SETPGROUP))
        let arguments: [UnsafeMutablePointer<CChar>?] = [strdup("assay"), strdup(NodeExec.command), nil]
        defer { for argument in arguments { free(argument) } }
        let environment: [UnsafeMutablePointer<CChar>?] = [nil]
        var pid: pid_t = 0
        let code = posix_spawn(&pid, executable, &actions, &attributes, arguments, environment)
        guard code == 0 else { throw failure("start \(executable)", code) }
        return pid
    }

    private static func pipe() throws(ProcessStartError) -> (read: Int32, write: Int32) {
        var ends: [Int32] = [-1, -1]
        guard clinux_pipe(&ends) == 0 else { throw failure("make a pipe", errno) }
        return (ends[0], ends[1])
    }

    private static func failure(_ what: String, _ errorNumber: Int32) -> ProcessStartError {
        ProcessStartError(description: "\(what): \(FileSystem.message(errorNumber))")
    }
}
