import CLinux
import Files
import Glibc

/// The last steps of a container's process: who it is, where it is, and the program.
struct ContainerCommand {
    let launch: ContainerLaunch

    init(_ launch: ContainerLaunch) { self.launch = launch }

    func execute(restoring signals: SignalForwarding) throws(LaunchError) -> Never {
        setsid()
        try becomeUser()
        // Changing the user has cleared it.
        clinux_die_with_parent()
        if launch.noNewPrivileges { clinux_no_new_privileges() }
        guard chdir(launch.workingDirectory) == 0 else {
            throw LaunchError("chdir to cwd (\"\(launch.workingDirectory)\")", errno)
        }
        guard let name = launch.command.first, !name.isEmpty else {
            throw LaunchError("no command specified")
        }
        let path = try find(name)
        umask(0o022)
        signals.restore()
        var arguments = launch.command.map { strdup($0) }
        arguments.append(nil)
        var environment = launch.environment.sorted { $0.key < $1.key }.map { strdup("\($0.key)=\($0.value)") }
        environment.append(nil)
        execve(path, arguments, environment)
        throw LaunchError("exec: \"\(name)\": \(path)", errno)
    }

    private func becomeUser() throws(LaunchError) {
        // Inside a user namespace, and for anyone but root, there is nobody else to become.
        guard geteuid() == 0, launch.isolation != .user else { return }
        guard launch.user != nil || launch.group != nil || !launch.groups.isEmpty else { return }
        let groups = launch.groups.map { UInt32(clamping: $0) }
        guard clinux_setgroups(groups.count, groups) == 0 else { throw LaunchError("set groups", errno) }
        let group = gid_t(clamping: launch.group ?? 0)
        guard setgid(group) == 0 else { throw LaunchError("become group \(group)", errno) }
        if let user = launch.user.map({ uid_t(clamping: $0) }), setuid(user) != 0 {
            throw LaunchError("become user \(user)", errno)
        }
    }

    /// As a shell looks for it; the words of the errors are Go's `os/exec`, which people know from kubelets.
    private func find(_ name: String) throws(LaunchError) -> String {
        if name.contains("/") {
            guard let kind = FileSystem.kind(name) else {
                throw LaunchError("exec: \"\(name)\": stat \(name): \(FileSystem.message(errno).lowercased())")
            }
            guard kind == .file, access(name, X_OK) == 0 else {
                throw LaunchError("exec: \"\(name)\": permission denied")
            }
            return name
        }
        for directory in (launch.environment["PATH"] ?? "").split(separator: ":") {
            let path = "\(directory)/\(name)"
            if FileSystem.kind(path) == .file, access(path, X_OK) == 0 { return path }
        }
        throw LaunchError("exec: \"\(name)\": executable file not found in $PATH")
    }
}
