import CLinux
import Files
import Glibc

/// Builds what a container sees as its file system: the host's, with a writable layer of its own that is thrown away
/// with it, and the volumes bound at their mount paths. Runs in new mount and process namespaces; the host's file
/// system is not touched.
struct ContainerRoot {
    private static let hostRoot = "/.assay-host"
    let launch: ContainerLaunch

    init(_ launch: ContainerLaunch) { self.launch = launch }

    func build() throws(LaunchError) {
        try mount(nil, "/", nil, clinux_ms_rec | clinux_ms_private)
        let hostMounts = Self.hostMounts(FileSystem.text("/proc/self/mountinfo") ?? "", hiding: launch.root)
        let missing = launch.mounts.map { Self.canonical($0.target) }.filter { FileSystem.kind($0) == nil }
        let isLayered = try makeRoot()
        try attempt("enter the root directory") { chdir("\(launch.root)/merged") }
        try attempt("make the host's place in the root") { mkdir(".\(Self.hostRoot)", 0o700) }
        try attempt("change the root directory") { clinux_pivot_root(".", ".\(Self.hostRoot)") }
        try attempt("enter the new root directory") { chdir("/") }
        if isLayered {
            // Mounted over, or gone since: nothing to show.
            for path in hostMounts where path != "/proc" && FileSystem.kind(path) != nil { try expose(path, missing) }
        } else {
            try exposeEntries(of: "", missing)
        }
        try mountProc()
        for mount in launch.mounts { try bind(mount) }
        clinux_unmount_detached(Self.hostRoot)
        rmdir(Self.hostRoot)
        if launch.readOnlyRoot { try makeReadOnly("/") }
    }

    /// Makes the root on which the rest is mounted: a layer of memory over the host's root directory or, where overlays
    /// are not to be had, an empty directory in memory.
    ///
    /// - Returns: whether it is the former.
    private func makeRoot() throws(LaunchError) -> Bool {
        try mount("tmpfs", launch.root, "tmpfs", clinux_ms_nodev, "mode=755")
        let (upper, work, merged) = ("\(launch.root)/upper", "\(launch.root)/work", "\(launch.root)/merged")
        for path in [upper, work, merged] { try attempt("make \(path)") { mkdir(path, 0o755) } }
        var options = "lowerdir=/,upperdir=\(upper),workdir=\(work)"
        if launch.isolation == .user { options += ",userxattr" }
        if clinux_mount("overlay", merged, "overlay", 0, options) == 0 { return true }
        try mount("tmpfs", merged, "tmpfs", 0, "mode=755")
        return false
    }

    /// Shows what the host has at a path, with everything mounted there. A directory on the way to a mount path that
    /// the host does not have is made anew in memory with the host's entries in it, so that the mount path can be made
    /// without touching the host.
    private func expose(_ path: String, _ missing: [String]) throws(LaunchError) {
        let source = Self.hostRoot + path
        switch FileSystem.kind(source, followingLinks: false) {
        case .symlink:
            do throws(FileError) {
                symlink(try FileSystem.linkTarget(source), path)
            } catch {
                throw LaunchError("\(error)")
            }
        case .directory:
            if FileSystem.kind(path) == nil { try attempt("make \(path)") { mkdir(path, 0o755) } }
            if missing.contains(where: { $0.hasPrefix("\(path)/") }) {
                try mount("tmpfs", path, "tmpfs", 0, "mode=755")
                try exposeEntries(of: path, missing)
            } else {
                try mount(source, path, nil, clinux_ms_bind | clinux_ms_rec)
            }
        case .file, .other:
            if FileSystem.kind(path) == nil { close(clinux_open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0o644)) }
            try mount(source, path, nil, clinux_ms_bind)
        case nil: break
        }
    }

    private func exposeEntries(of path: String, _ missing: [String]) throws(LaunchError) {
        let names: [String]
        do throws(FileError) {
            names = try FileSystem.entries(Self.hostRoot + path)
        } catch {
            throw LaunchError("\(error)")
        }
        for name in names where "/\(name)" != Self.hostRoot { try expose("\(path)/\(name)", missing) }
    }

    /// The path with the links on it followed, as far as it exists.
    private static func canonical(_ path: String) -> String {
        do throws(FileError) {
            return try FileSystem.realPath(path)
        } catch {
            guard let slash = path.lastIndex(of: "/"), slash > path.startIndex else { return path }
            return canonical(String(path[..<slash])) + path[slash...]
        }
    }

    /// The mount points of the host that a view of its root directory alone would miss, without those beneath others.
    static func hostMounts(_ table: String, hiding hidden: String) -> [String] {
        var paths = Set<String>()
        for line in table.split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count > 4 else { continue }
            let path = unescape(fields[4])
            if path == "/" || path == hidden || path.hasPrefix("\(hidden)/") { continue }
            paths.insert(path)
        }
        var result: [String] = []
        for path in paths.sorted() where !result.contains(where: { path.hasPrefix("\($0)/") }) { result.append(path) }
        return result
    }

    /// Spaces and the like are written as `\040` in the mount table.
    private static func unescape(_ field: Substring) -> String {
        var bytes: [UInt8] = []
        var rest = Array(field.utf8)[...]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\\"), rest.count >= 3,
                let code = UInt8(String(decoding: rest.prefix(3), as: UTF8.self), radix: 8)
            {
                bytes.append(code)
                rest = rest.dropFirst(3)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private func mountProc() throws(LaunchError) {
        let flags = clinux_ms_nosuid | clinux_ms_nodev | clinux_ms_noexec
        if clinux_mount("proc", "/proc", "proc", UInt(flags), nil) == 0 { return }
        // Some sandboxes hide parts of it and then forbid a fresh one; the host's is better than none.
        try expose("/proc", [])
    }

    private func bind(_ bound: ContainerLaunch.Mount) throws(LaunchError) {
        let source = Self.hostRoot + bound.source
        guard let kind = FileSystem.kind(source) else { throw LaunchError("mount \(bound.source): it does not exist") }
        do throws(FileError) {
            if FileSystem.kind(bound.target) == nil {
                if kind == .directory {
                    try FileSystem.makeDirectories(bound.target)
                } else {
                    if let slash = bound.target.lastIndex(of: "/"), slash > bound.target.startIndex {
                        try FileSystem.makeDirectories(String(bound.target[..<slash]))
                    }
                    try FileSystem.write("", to: bound.target)
                }
            }
        } catch {
            throw LaunchError("make the mount path \(bound.target): \(error)")
        }
        try mount(source, bound.target, nil, clinux_ms_bind | clinux_ms_rec)
        if bound.isReadOnly { try makeReadOnly(bound.target) }
    }

    private func makeReadOnly(_ path: String) throws(LaunchError) {
        var information = statvfs()
        statvfs(path, &information)
        // In a user namespace the flags that the mount has must be named again.
        let kept =
            Int(truncatingIfNeeded: information.f_flag)
            & (clinux_ms_nosuid | clinux_ms_nodev | clinux_ms_noexec | clinux_ms_noatime)
        try mount(
            nil, path, nil, clinux_ms_remount | clinux_ms_bind | clinux_ms_rdonly | kept)
    }

    private func mount(
        _ source: String?, _ target: String, _ type: String?, _ flags: Int, _ options: String? = nil
    ) throws(LaunchError) {
        guard clinux_mount(source, target, type, UInt(flags), options) == 0 else {
            throw LaunchError("mount \(source ?? type ?? "") at \(target)", errno)
        }
    }

    private func attempt(_ what: String, _ call: () -> Int32) throws(LaunchError) {
        guard call() == 0 else { throw LaunchError(what, errno) }
    }
}
