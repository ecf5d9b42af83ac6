import CLinux
import Files
import Glibc
import JSON

/// `assay node-exec`: the one process between the node and a container's.
///
/// The node starts it with a ``ContainerLaunch`` on descriptor 3 and an empty pipe on descriptor 4. It enters and makes
/// namespaces, which a process with many threads cannot, builds the container's view of the file system, and becomes
/// the first process of the container's process namespace, so that nothing the container leaves behind outlives it:
///
///     node ── node-exec ── init (process 1 in the namespace) ── the container's command
///
/// Both of its processes pass signals on and end with the exit code of the command, 128 and the number added for a
/// signal. On descriptor 4 it writes lines of JSON: `{"pid":N}` for the init process and `{"error":…}` where the
/// command could not be run; the pipe closes without the latter once the command runs. Everything dies with the node.
public enum NodeExec {
    /// The subcommand's name. The program must hand over to ``main()`` before it starts any thread.
    public static let command = "node-exec"

    static let launchDescriptor: Int32 = 3
    static let reportDescriptor: Int32 = 4

    /// Does the subcommand's work if the program was called for it, and returns otherwise.
    public static func runIfCalled(_ arguments: [String]) {
        if arguments.count == 2, arguments[1] == command { main() }
    }

    public static func main() -> Never {
        clinux_close_from(5)
        _ = fcntl(reportDescriptor, F_SETFD, FD_CLOEXEC)
        do throws(LaunchError) {
            let launch = try readLaunch()
            clinux_die_with_parent()
            // It may have died before the line above.
            guard getppid() == launch.parent else { _exit(137) }
            try run(launch)
        } catch {
            error.report()
            _exit(128)
        }
    }

    private static func readLaunch() throws(LaunchError) -> ContainerLaunch {
        do {
            let bytes = try FileSystem.contents("/proc/self/fd/\(launchDescriptor)")
            close(launchDescriptor)
            return try ContainerLaunch(json: JSONCursor(try JSONValue(parsing: bytes)))
        } catch {
            throw LaunchError("read the launch: \(error)")
        }
    }

    private static func run(_ launch: ContainerLaunch) throws(LaunchError) -> Never {
        var signals = SignalForwarding()
        // The control group is entered by the command alone; its files are opened while they are still in sight.
        let groups = launch.controlGroups.map { clinux_open($0, O_WRONLY | O_CLOEXEC, 0) }.filter { $0 >= 0 }
        if let join = launch.join { try enter(join) }
        if let path = launch.networkNamespace { try enterNetwork(path) }
        if launch.isolation == .none || launch.join != nil {
            clinux_become_subreaper()
            try startCommand(launch, groups, &signals)
        }
        try makeNamespaces(launch)
        let child = try fork()
        if child == 0 {
            clinux_die_with_parent()
            do throws(LaunchError) {
                try ContainerRoot(launch).build()
                if !launch.hostname.isEmpty { clinux_sethostname(launch.hostname, launch.hostname.utf8.count) }
                try startCommand(launch, groups, &signals)
            } catch {
                error.report()
                _exit(128)
            }
        }
        LaunchError.write(["pid": .integer(Int64(child))])
        close(reportDescriptor)
        signals.passOn(to: child)
    }

    /// Forks the command and looks after it to its end.
    private static func startCommand(
        _ launch: ContainerLaunch, _ groups: [Int32], _ signals: inout SignalForwarding
    ) throws(LaunchError) -> Never {
        let child = try fork()
        if child == 0 {
            do throws(LaunchError) {
                for group in groups { write(group, "0", 1) }
                try ContainerCommand(launch).execute(restoring: signals)
            } catch {
                error.report()
                _exit(128)
            }
        }
        if launch.isolation == .none || launch.join != nil { LaunchError.write(["pid": .integer(Int64(getpid()))]) }
        close(reportDescriptor)
        signals.passOn(to: child)
    }

    private static func makeNamespaces(_ launch: ContainerLaunch) throws(LaunchError) {
        let (user, group) = (geteuid(), getegid())
        let flags = clinux_new_mounts | clinux_new_pids | clinux_new_ipc | clinux_new_names
        let all = launch.isolation == .user ? flags | clinux_new_users : flags
        guard clinux_unshare(Int32(truncatingIfNeeded: all)) == 0 else { throw LaunchError("make namespaces", errno) }
        guard launch.isolation == .user else { return }
        do throws(FileError) {
            try FileSystem.write("deny", to: "/proc/self/setgroups")
            try FileSystem.write("\(user) \(user) 1", to: "/proc/self/uid_map")
            try FileSystem.write("\(group) \(group) 1", to: "/proc/self/gid_map")
        } catch {
            throw LaunchError("map the user: \(error)")
        }
    }

    private static func enterNetwork(_ path: String) throws(LaunchError) {
        let file = clinux_open(path, O_RDONLY | O_CLOEXEC, 0)
        guard file >= 0, clinux_setns(file, Int32(truncatingIfNeeded: clinux_new_network)) == 0 else {
            throw LaunchError("enter the network namespace \(path)", errno)
        }
        close(file)
    }

    private static func enter(_ process: Int32) throws(LaunchError) {
        let file = clinux_pidfd_open(process)
        guard file >= 0 else { throw LaunchError("find the container's process \(process)", errno) }
        let flags = clinux_new_mounts | clinux_new_pids | clinux_new_ipc | clinux_new_network | clinux_new_names
        guard clinux_setns(file, Int32(truncatingIfNeeded: flags)) == 0 else {
            throw LaunchError("enter the container", errno)
        }
        close(file)
    }

    private static func fork() throws(LaunchError) -> pid_t {
        let child = clinux_fork()
        guard child >= 0 else { throw LaunchError("fork", errno) }
        return child
    }
}

/// Why a container's command could not be run, in the words that its status shows.
struct LaunchError: Error, Sendable {
    var message: String

    init(_ message: String, _ errorNumber: Int32? = nil) {
        self.message = errorNumber.map { "\(message): \(FileSystem.message($0))" } ?? message
    }

    func report() { Self.write(["error": .string(message)]) }

    static func write(_ line: JSONValue) {
        let bytes = line.serializedBytes() + [0x0a]
        _ = bytes.withUnsafeBytes { Glibc.write(NodeExec.reportDescriptor, $0.baseAddress, $0.count) }
    }
}

/// Signals are taken one at a time, by waiting for them, and handed to a child until it ends.
struct SignalForwarding {
    private var old = sigset_t()
    private var waited = sigset_t()

    init() {
        sigemptyset(&waited)
        for signal in [SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH] {
            sigaddset(&waited, signal)
        }
        sigprocmask(SIG_BLOCK, &waited, &old)
    }

    /// For the command, which must not inherit the blocking.
    func restore() {
        var old = old
        sigprocmask(SIG_SETMASK, &old, nil)
    }

    /// Passes signals on until the child ends, reaps orphans on the way, and ends as it did.
    func passOn(to child: pid_t) -> Never {
        var waited = waited
        // Nothing of the program's standard streams is needed any more: a reader sees their end with the command's.
        for stream in 0...2 as ClosedRange<Int32> { close(stream) }
        while true {
            var status: Int32 = 0
            while true {
                let ended = waitpid(-1, &status, WNOHANG)
                if ended <= 0 { break }
                if ended == child { finish(child, clinux_exit_code(status)) }
            }
            let signal = sigwaitinfo(&waited, nil)
            if signal > 0, signal != SIGCHLD { kill(child, signal) }
        }
    }

    private func finish(_ child: pid_t, _ code: Int32) -> Never {
        // The command leads a session of its own: what is left of it goes too where no process namespace sees to that.
        kill(-child, SIGKILL)
        _exit(code)
    }
}
